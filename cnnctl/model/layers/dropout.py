"""Dropout: random zeros in training, the identity in evaluation."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from cnnctl.config.bounds import UnitInterval
from cnnctl.model.layer import Saved, Shape, ShapeKeeper, WithoutProducts, size_of, spatial_dims

_DROPOUTS: Mapping[int, type[nn.Module]] = {1: nn.Dropout1d, 2: nn.Dropout2d}


class Dropping(ShapeKeeper, WithoutProducts):
    """The traits of all dropout; masks of channels and samples are too small to count."""

    symbol = "d"
    formula = "m ⊙ x"
    role = "dropout"
    is_linear = True
    saves = Saved()

    p: float
    """Probability that a value is zeroed."""

    @property
    def dropped(self) -> float:
        return self.p


class DroppingValues(Dropping):
    """Dropout that saves a mask as large as its input."""

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(beside=size_of(input))


class Dropout(DroppingValues, kind="dropout", short="p"):
    """Zero values at random and scale up the others (Hinton et al. 2012)."""

    is_dropout = True

    p: UnitInterval = 0.5
    """Probability that a value is zeroed."""

    def build(self, input: Shape) -> nn.Module:
        return nn.Dropout(self.p)


class ChannelDropout(Dropping, kind="channel_dropout", short="p"):
    """Zero whole channels: nn.Dropout2d on images, nn.Dropout1d on signals."""

    is_dropout = True

    p: UnitInterval = 0.5
    """Probability that a channel is zeroed."""

    def build(self, input: Shape) -> nn.Module:
        return _DROPOUTS[spatial_dims(input, kind=self.kind)](self.p)


class AlphaDropout(DroppingValues, kind="alpha_dropout", short="p"):
    """Dropout that keeps mean and variance, for selu (Klambauer et al. 2017)."""

    p: UnitInterval = 0.5
    """Probability that a value is set to selu's lower bound."""

    def build(self, input: Shape) -> nn.Module:
        return nn.AlphaDropout(self.p)


class FeatureAlphaDropout(Dropping, kind="feature_alpha_dropout", short="p"):
    """Alpha dropout of whole channels."""

    p: UnitInterval = 0.5
    """Probability that a channel is set to selu's lower bound."""

    def build(self, input: Shape) -> nn.Module:
        spatial_dims(input, kind=self.kind)
        return nn.FeatureAlphaDropout(self.p)


class StochasticDepth(Dropping, kind="stochastic_depth", short="p"):
    """Skip the layers of a residual block at random, for each sample (Huang et al. 2016)."""

    p: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Probability that a sample is zeroed; the others are scaled up."""
    mode: Literal["row", "batch"] = "row"
    """Draw for each sample, or once for the batch."""

    def build(self, input: Shape) -> nn.Module:
        from torchvision.ops import StochasticDepth as Module

        module: nn.Module = Module(self.p, self.mode)
        return module
