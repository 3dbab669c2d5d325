"""Formulas as LaTeX, and the formulas that layers give."""

from __future__ import annotations

from typing import Any

import pytest

from cnnctl.model.layer import Layer
from cnnctl.tracing.latex import latex
from tests.examples import LEAVES, example


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("W x + b", "W x + b"),
        ("0.9 m + 0.1 dW", "0.9 m + 0.1 dW"),
        ("0.999 v + 0.001 g²", "0.999 v + 0.001 g^2"),
        ("W - 0.5 m̂ / (√v̂ + 1e-08)", r"W - 0.5 \hat{m} / (\sqrt{\hat{v}} + 10^{-8})"),
        ("√(u + 2e-05) / √v", r"\sqrt{u + 2 \cdot 10^{-5}} / \sqrt{v}"),
        ("γ (x - μ) / √(σ² + 1e-05)", r"\gamma  (x - \mu ) / \sqrt{\sigma ^2 + 10^{-5}}"),
        ("z / (1 + |z|)", r"z / (1 + \lvert z \rvert )"),
        ("max of the window", r"\max  \text{ of } \text{ the } \text{ window }"),
        ("block1.batch_norm2 + input", r"\text{ block1.batch\_norm2 } + \text{ input }"),
        ("0.001 sign(c)", r"0.001 \operatorname{sign}(c)"),
    ],
)
def test_formulas_are_written_as_latex(formula: str, expected: str) -> None:
    assert latex(formula) == expected


@pytest.mark.parametrize("kind", LEAVES)
def test_the_formula_of_every_layer_has_its_options(kind: str) -> None:
    formula = Layer.read(example(kind)).worked()
    assert "{" not in formula
    assert "{" not in latex(formula).replace(r"\sqrt{", "").replace(r"\text{", "").replace("^{", "")


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        ({"linear": {"out_features": 2, "bias": False}}, "W x"),
        ({"batch_norm": {"affine": False, "eps": 0.1}}, "(x - μ) / √(σ² + 0.1)"),
        ({"layer_norm": {"bias": False, "eps": 0.1}}, "γ (x - μ) / √(σ² + 0.1)"),
        ({"leaky_relu": 0.2}, "max(0, z) + 0.2 min(0, z)"),
    ],
)
def test_formulas_leave_out_what_a_layer_lacks(layer: Any, formula: str) -> None:
    assert Layer.read(layer).worked() == formula
