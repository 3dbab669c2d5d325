"""Layers that learn a linear map without a window."""

from pydantic import FiniteFloat
from torch import nn

from cnnctl.model.layer import Shape, ShapeKeeper, WeightedLayer, Width, feature_count
from cnnctl.model.modules import LayerScale as LayerScaleModule


class Linear(WeightedLayer, kind="linear", short="out_features"):
    """Connect every input with every output: y = W x + b, on vectors (F,)."""

    out_features: Width
    """Number of outputs."""

    def build(self, input: Shape) -> nn.Module:
        features = feature_count(input, kind="linear")
        return nn.Linear(features, int(self.out_features), bias=self.bias)

    def infer(self, input: Shape) -> Shape | None:
        return (int(self.out_features),)


class LayerScale(ShapeKeeper, kind="layer_scale", short="init_value"):
    """Multiply each channel by a learned factor (Touvron et al. 2021)."""

    init_value: FiniteFloat = 1e-6
    """Every factor to start with."""

    def build(self, input: Shape) -> nn.Module:
        return LayerScaleModule(input[0], self.init_value)
