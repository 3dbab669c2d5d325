"""Fully connected layers, on vectors (F,)."""

from torch import nn

from cnnctl.model.layer import Shape, WeightedLayer, Width, feature_count


class Linear(WeightedLayer, kind="linear", short="out_features"):
    """Connect every input with every output: y = W x + b."""

    out_features: Width
    """Number of outputs."""

    def build(self, input: Shape) -> nn.Module:
        features = feature_count(input, kind="linear")
        return nn.Linear(features, int(self.out_features), bias=self.bias)

    def infer(self, input: Shape) -> Shape | None:
        return (int(self.out_features),)
