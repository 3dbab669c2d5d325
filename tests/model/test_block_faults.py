"""Faults within blocks have their whole path and their line, wherever the block is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cnnctl.config.source import parse
from cnnctl.errors import Fault, FaultError, dotted
from cnnctl.experiment import complete
from cnnctl.model.block import Block
from cnnctl.model.layer import Layer

FINE: Any = {"conv": {"out_channels": 4, "padding": 1}}
BAD: Any = {"conv": {"out_channels": 4, "kernel_size": 99}}
STRIDED: Any = {"conv": {"out_channels": 4, "stride": 3}}
BLOCKS = sorted(kind for kind, member in Layer.kinds.items() if issubclass(member, Block))
NEEDED: dict[str, dict[str, Any]] = {
    "repeat": {"times": 2, "layers": [FINE]},
    "branches": {"ways": [[FINE], [FINE]]},
    "squeeze_excite": {"reduction": 2},
}
"""Options of the blocks that need more than layers."""


def needed(kind: str) -> dict[str, Any]:
    return NEEDED.get(kind, {"layers": [FINE]})


def holding(kind: str, layer: Any) -> Iterator[dict[str, Any]]:
    """The block with the layer in every place that takes layers, last in its chain."""
    for option in Layer.kinds[kind].fields():
        for value in ([FINE, layer], layer, [[FINE], [FINE, layer]], {"a": [FINE], "b": [layer]}):
            options = {**needed(kind), option: value}
            try:
                Layer.read({kind: options})
            except ValidationError:
                continue
            yield {kind: options}


def nested() -> Iterator[Any]:
    """The layer that does not fit, in every place of every block, and of every block in those."""
    for kind in BLOCKS:
        for block in holding(kind, BAD):
            yield block
            yield from (outer for around in BLOCKS for outer in holding(around, block))


def faults(model: dict[str, Any]) -> tuple[str, tuple[Fault, ...]]:
    """The text of an experiment on digits, one value a line, and what is wrong with it."""
    text: str = yaml.safe_dump({"data": "digits", "model": model}, sort_keys=False)
    with pytest.raises(FaultError) as raised:
        complete(parse(text, origin="net.yaml"), "net")
    return text, raised.value.faults


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if part in line)


HEAD: list[Any] = ["flatten", {"linear": "classes"}]


@pytest.mark.parametrize("block", list(nested()), ids=str)
def test_an_inner_layer_that_does_not_fit_is_blamed_where_it_is(block: Any) -> None:
    (kind,) = block
    text, (fault,) = faults({"layers": [FINE, block, *HEAD]})
    assert fault.path[:4] == ("model", "layers", 1, kind)
    assert fault.path[-2:] == ("conv", "kernel_size")
    line = line_of(text, "kernel_size: 99")
    assert fault.place.startswith(f"net.yaml:{line}:")
    # the path leads down the text to the value
    value = yaml.safe_load(text)
    for step in fault.path:
        value = value[step]
    assert value == 99


TWICE = {"conv": {"out_channels": 4, "padding": 1, "name": "one"}}
OWN: dict[str, list[tuple[dict[str, Any], str, str]]] = {
    "residual": [
        (
            {"layers": [{"conv": {"out_channels": 4, "padding": 9}}]},
            "shortcut",
            "no stride turns",
        ),
        ({"layers": [STRIDED], "shortcut": "identity"}, "shortcut", "the shortcut outputs"),
        (
            {"layers": [{"conv": {"out_channels": 2, "padding": 1}}], "shortcut": "pad"},
            "shortcut",
            "pad cannot turn",
        ),
        ({"layers": [TWICE, TWICE]}, "layers.0.conv.name", "is already named one"),
    ],
    "branches": [
        ({"ways": [[FINE], [STRIDED]]}, "ways", "cannot concatenate the branches"),
        (
            {"ways": [[FINE], [STRIDED]], "join": "multiply"},
            "ways",
            "cannot multiply the branches",
        ),
    ],
    "squeeze_excite": [
        ({"reduction": 5}, "reduction", "5 is more than the 4 input channels"),
        (
            {"reduction": 2, "scale_activation": {"maxout": 2}},
            "scale_activation",
            "outputs 2 channels of 1x1 as factors for 4 channels of 8x8",
        ),
    ],
    "dense": [({"layers": [FINE, STRIDED]}, "layers.1", "cannot be joined with")],
    "auxiliary": [({"layers": [FINE]}, "layers", "not a vector")],
}
"""Faults that a block finds itself: options, where, and what is said."""
CASES = [(kind, *case) for kind, cases in OWN.items() for case in cases]


def test_every_block_with_options_of_its_own_is_tried() -> None:
    assert set(BLOCKS) - set(OWN) == {"sequence", "repeat"}


@pytest.mark.parametrize(("kind", "options", "where", "said"), CASES)
def test_what_a_block_finds_itself_has_its_whole_path(
    kind: str, options: dict[str, Any], where: str, said: str
) -> None:
    block = {kind: options}
    at = f"{kind}.{where}"
    plain = {"layers": [FINE, block, *HEAD]}
    grouped = {"layers": [{"sequence": {"layers": [FINE, block]}}, *HEAD]}
    template = {"blocks": {"mine": {"layers": [FINE, block]}}, "layers": ["mine", *HEAD]}
    heads = {"layers": [FINE], "heads": {"digit": {"layers": [block, *HEAD]}}}
    for model, path in (
        (plain, f"model.layers.1.{at}"),
        (grouped, f"model.layers.0.sequence.layers.1.{at}"),
        (template, f"model.blocks.mine.layers.1.{at}"),
        (heads, f"model.heads.digit.layers.0.{at}"),
    ):
        text, found = faults(model)
        first = min(found, key=lambda fault: len(fault.path))
        assert dotted(first.path) == path
        assert said in first.message
        line = int(first.place.split(":")[1])
        assert line_of(text, f"{kind}:") <= line <= line_of(text, "flatten")


def test_a_list_in_place_of_options_is_gone_through() -> None:
    text, (fault,) = faults({"layers": [{"residual": [FINE, BAD]}, *HEAD]})
    assert dotted(fault.path) == "model.layers.0.residual.layers.1.conv.kernel_size"
    assert fault.place.startswith(f"net.yaml:{line_of(text, 'kernel_size: 99')}:")


def test_a_network_of_the_zoo_is_blamed_at_its_name() -> None:
    text, (fault,) = faults({"zoo": "alexnet"})
    assert dotted(fault.path) == "model.zoo"
    assert "the network does not fit the data" in fault.message
    assert fault.place.startswith(f"net.yaml:{line_of(text, 'zoo')}:")
