"""Layers that learn a linear map without a window."""

from collections.abc import Collection

from pydantic import FiniteFloat
from torch import nn

from cnnctl.model.layer import (
    Saved,
    Shape,
    ShapeKeeper,
    WeightedLayer,
    Width,
    WithoutProducts,
    feature_count,
)
from cnnctl.model.modules import LayerScale as LayerScaleModule


class Linear(WeightedLayer, kind="linear", short="out_features"):
    """Fully connected layer: y = W x + b, on vectors (F,)."""

    role = "linear"
    is_linear = True

    out_features: Width
    """Number of output features."""

    def build(self, input: Shape) -> nn.Module:
        features = feature_count(input, kind="linear")
        return nn.Linear(features, int(self.out_features), bias=self.bias)

    def infer(self, input: Shape) -> Shape | None:
        return (int(self.out_features),)

    def multiply_adds(self, input: Shape, output: Shape) -> int | None:
        return input[0] * output[0]

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(input="weight" in learning)


class LayerScale(ShapeKeeper, WithoutProducts, kind="layer_scale", short="init_value"):
    """Multiply each channel by a learned factor (Touvron et al. 2021)."""

    symbol = "z"
    formula = "W ⊙ x"
    role = "linear"
    is_linear = True

    init_value: FiniteFloat = 1e-6
    """Initial value of the factors."""

    @property
    def starting_scale(self) -> float:
        return self.init_value

    def build(self, input: Shape) -> nn.Module:
        return LayerScaleModule(input[0], self.init_value)

    def saved(self, input: Shape, output: Shape, *, learning: Collection[str]) -> Saved:
        return Saved(input="weight" in learning)
