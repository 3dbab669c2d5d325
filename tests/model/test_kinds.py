"""What every kind of layer and of initializer promises, the ones to come included."""

import inspect

import pytest
import torch

from cnnctl.config.choice import Choice
from cnnctl.model.initializers import Initializer
from cnnctl.model.layer import Layer

BARE = {
    kind: member
    for kind, member in Layer.kinds.items()
    if not any(info.is_required() for info in member.fields().values())
}
KINDS = [*Layer.kinds.values(), *Initializer.kinds.values()]
NEEDS_A_CHOICE = {"upsample"}
"""Kinds without a required option that still need one of two."""


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


@pytest.mark.parametrize("kind", sorted(set(BARE) - NEEDS_A_CHOICE))
def test_a_layer_that_needs_no_option_builds_without_one(kind: str) -> None:
    module = Layer.read(kind).build((4, 6, 6))
    assert len(module(torch.randn(2, 4, 6, 6))) == 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_kind_writes_what_it_reads(kind: type[Choice]) -> None:
    needed = {
        "conv": {"out_channels": 4, "kernel_size": [3, 5], "init": "orthogonal"},
        "linear": {"out_features": "classes", "bias_init": {"name": "constant", "val": 1.5}},
        "group_norm": {"num_groups": 2},
        "local_response_norm": {"size": 5},
        "adaptive_max_pool": {"output_size": 2},
        "adaptive_avg_pool": {"output_size": [2, 3]},
        "zero_pad": {"padding": [1, 2]},
        "unflatten": {"unflattened_size": [2, 2]},
        "upsample": {"scale_factor": [2, 1.5]},
        "constant": {"val": 0.5},
        "pad_channels": {"channels": 8},
        "chunk": {"index": 1},
        "channel_shuffle": {"groups": 2},
        "maxout": {"pieces": 2},
        "torchvision": {"model": "resnet18"},
        "sequence": {"layers": ["relu", {"conv": 4}]},
        "repeat": {"times": 2, "layers": ["relu"]},
        "residual": {"layers": [{"linear": "classes"}], "shortcut": ["relu"], "activation": "relu"},
        "branches": {"ways": {"a": ["relu"], "b": []}, "join": "add"},
        "dense": {"layers": ["relu"]},
        "auxiliary": {"layers": ["flatten", {"linear": "classes"}], "head": "digit"},
    }
    member = kind.model_validate(needed.get(kind.kind, {}))
    family = Layer if issubclass(kind, Layer) else Initializer
    assert family.read(member.written()) == member
