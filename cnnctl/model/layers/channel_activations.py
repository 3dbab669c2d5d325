"""Activations across channels: of groups of them, or of all."""

from torch import nn

from cnnctl.config.bounds import PositiveInt
from cnnctl.model.layer import Saved, Shape, check_divides
from cnnctl.model.layers.activations import Activation, Pointwise
from cnnctl.model.modules import Maxout as MaxoutModule


class Maxout(Activation, kind="maxout", short="pieces"):
    """Keep the largest of each group of consecutive channels (Goodfellow et al. 2013)."""

    formula = "max of {pieces} channels"
    acts_as = "linear"
    saves = Saved(input=True, output=True)

    pieces: PositiveInt
    """Channels per group; must divide the channels."""

    def build(self, input: Shape) -> nn.Module:
        check_divides(self.pieces, input, option="pieces")
        return MaxoutModule(self.pieces)

    def infer(self, input: Shape) -> Shape | None:
        return (input[0] // self.pieces, *input[1:])


class Softmax(Pointwise, kind="softmax"):
    """Probabilities that sum to 1, over the classes or channels."""

    formula = "exp(z) / Σ exp(z)"
    acts_as = "linear"
    gives = "probabilities"
    saves = Saved(output=True)

    def build(self, input: Shape) -> nn.Module:
        return nn.Softmax(dim=1)


class LogSoftmax(Pointwise, kind="log_softmax"):
    """The logarithm of softmax, as nll expects."""

    formula = "z - ln Σ exp(z)"
    acts_as = "linear"
    gives = "log_probabilities"
    saves = Saved(output=True)

    def build(self, input: Shape) -> nn.Module:
        return nn.LogSoftmax(dim=1)
