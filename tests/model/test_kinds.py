"""What every kind of layer and of initializer promises, the ones to come included."""

import inspect
from contextlib import suppress
from typing import Any

import pytest
import torch

from cnnctl.config.choice import Choice
from cnnctl.errors import FaultError
from cnnctl.model.initializers import Initializer
from cnnctl.model.layer import Layer
from tests.examples import BLOCKS, EXAMPLES, INPUTS, LEAVES, example

KINDS = [*Layer.kinds.values(), *Initializer.kinds.values()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_kind_and_each_of_its_options_have_a_line_of_help(kind: type[Choice]) -> None:
    assert "__doc__" in vars(kind)
    helps = {"": inspect.getdoc(kind)}
    helps |= {name: info.description for name, info in kind.fields().items()}
    for name, text in helps.items():
        assert text, f"{name} of {kind.kind} has no help"
        assert "\n" not in text
        assert text.endswith(".")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_short_form_fills_an_option(kind: type[Choice]) -> None:
    assert not kind.short or kind.short in kind.fields()


@pytest.mark.parametrize("kind", sorted(Layer.kinds))
def test_a_layer_kind_stands_alone_or_has_an_example(kind: str) -> None:
    assert Layer.kinds[kind].stands_alone() or kind in EXAMPLES


@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS])
def test_a_layer_outputs_the_shape_it_infers_for_some_input(kind: str) -> None:
    layer, built = Layer.read(example(kind)).with_classes(3), 0
    for shape in INPUTS:
        with suppress(FaultError):
            output = layer.build(shape)(torch.randn(2, *shape))
            assert tuple(output.shape[1:]) == (layer.infer(shape) or output.shape[1:])
            built += 1
    assert built


@pytest.mark.parametrize("kind", LEAVES)
def test_a_layer_is_as_linear_as_it_says(kind: str) -> None:
    """What it makes of a mean is the mean of what it makes of each, if so."""
    layer = Layer.read(example(kind))
    generator = torch.Generator().manual_seed(0)
    for shape in INPUTS:
        with suppress(FaultError), torch.no_grad():
            module = layer.build(shape).eval()
            one, other = torch.randn(2, 3, *shape, generator=generator) * 3
            mean = (module(one) + module(other)) / 2
            is_linear = torch.allclose(module((one + other) / 2), mean, atol=1e-4)
            assert is_linear == layer.is_linear


WRITTEN: dict[str, Any] = {
    "conv": {"out_channels": 4, "kernel_size": [3, 5], "init": "orthogonal"},
    "linear": {"out_features": "classes", "bias_init": {"name": "constant", "val": 1.5}},
    "constant": {"val": 0.5},
    "values": {"values": [[0.5, -1], [2, 0]]},
    "adaptive_avg_pool": {"output_size": [2, 3]},
    "upsample": {"scale_factor": [2, 1.5]},
    "residual": {"layers": [{"linear": "classes"}], "shortcut": ["relu"], "activation": "relu"},
    "auxiliary": {"layers": ["flatten", {"linear": "classes"}], "head": "digit"},
}
"""Options of more forms than those of the examples."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_kind_writes_what_it_reads(kind: type[Choice]) -> None:
    member = kind.model_validate(WRITTEN.get(kind.kind, EXAMPLES.get(kind.kind, {})))
    family = Layer if issubclass(kind, Layer) else Initializer
    assert family.read(member.written()) == member
