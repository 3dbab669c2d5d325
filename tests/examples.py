"""An example of every layer kind; the networks of the zoo, and which are large."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from cnnctl.experiment import Loaded, complete
from cnnctl.model import network as _network  # declares the kinds
from cnnctl.model import zoo
from cnnctl.model.block import Block
from cnnctl.model.layer import Layer, Shape

del _network

INPUTS: list[Shape] = [(4, 9, 8), (4, 11), (12,)]
"""Of which every kind but torchvision's networks takes one."""
EXAMPLES: dict[str, Any] = {
    "conv": {"out_channels": 6, "kernel_size": 3},
    "conv_transpose": {"out_channels": 6, "kernel_size": 4, "stride": 2, "padding": 1},
    "linear": {"out_features": 5},
    "group_norm": {"num_groups": 2},
    "local_response_norm": {"size": 3},
    "adaptive_max_pool": {"output_size": 4},
    "adaptive_avg_pool": {"output_size": 4},
    "zero_pad": {"padding": 1},
    "unflatten": {"unflattened_size": [2, 2, 3]},
    "permute": {"dims": [2, 3, 1]},
    "upsample": {"scale_factor": 2.0},
    "pad_channels": {"channels": 8},
    "chunk": {"index": 1},
    "channel_shuffle": {"groups": 2},
    "maxout": {"pieces": 2},
    "stochastic_depth": {"p": 0.5},
    "torchvision": {"model": "resnet18"},
    "sequence": {"layers": ["relu", "tanh"]},
    "repeat": {"times": 2, "layers": ["tanh"]},
    "residual": {"layers": ["sigmoid", "tanh"]},
    "branches": {"ways": {"a": ["relu"], "b": ["tanh"]}, "join": "multiply"},
    "dense": {"times": 2, "layers": ["relu"]},
    "squeeze_excite": {"reduction": 2},
    "auxiliary": {"layers": ["flatten", {"linear": "classes"}]},
}
"""Options of the kinds that do not stand alone, or not for so few channels."""
OF_OTHERS = ("torchvision",)
"""Kinds whose modules have to be run to be known."""
LEAVES = sorted(
    kind
    for kind, member in Layer.kinds.items()
    if not issubclass(member, Block) and kind not in OF_OTHERS
)
BLOCKS = sorted(kind for kind, member in Layer.kinds.items() if issubclass(member, Block))


def example(kind: str, **options: Any) -> dict[str, Any]:
    """A kind as a file would hold it, with these options over those of its example."""
    return {kind: EXAMPLES.get(kind, {}) | options}


@cache
def published(name: str, *overrides: str) -> Loaded:
    """A network of the zoo in its own experiment, planned once for all tests that read it."""
    return complete(zoo.experiment_of(name), name, overrides)


NETWORKS = [
    (name, kind) for name, kind in zoo.Network.kinds.items() if issubclass(kind, zoo.Network)
]
SHALLOWEST = sorted({kind.file: name for name, kind in reversed(NETWORKS)}.values())
"""A network of each file of the zoo: the first, whose variants differ in numbers alone."""


def one_of_a_kind(names: Iterable[str]) -> list[Any]:
    """The names as parameters; the variants of a network only in CI."""
    return [n if n in SHALLOWEST else pytest.param(n, marks=pytest.mark.long) for n in names]
