"""The largest number that an option takes gives a network or a fault, never a traceback."""

import types
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from annotated_types import Le, Lt
from pydantic.fields import FieldInfo

from cnnctl.config.choice import Choice
from cnnctl.config.nodes import Place, from_plain
from cnnctl.errors import FaultError
from cnnctl.experiment.loading import complete
from cnnctl.model.layer import Layer

KINDS = Layer.kinds


def largest(annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Any]:
    """The largest integer that an option takes, alone and in lists."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is int:
        bounds = [bound for data in metadata for bound in getattr(data, "metadata", [data])]
        at_most = [bound.le for bound in bounds if isinstance(bound, Le)]
        below = [bound.lt - 1 for bound in bounds if isinstance(bound, Lt)]  # type: ignore[operator]
        yield min([*at_most, *below, 2**62])  # type: ignore[type-var]
    elif origin is Annotated:
        yield from largest(arguments[0], [*metadata, *arguments[1:]])
    elif origin in (list, tuple):
        for value in largest(arguments[0]):
            yield from ([value], [value] * 2, [value] * 4)
    elif origin in (Union, types.UnionType):
        for part in arguments:
            yield from largest(part, metadata)


def required(kind: type[Choice], *, but: str) -> dict[str, Any]:
    fields: list[tuple[str, FieldInfo]] = list(kind.model_fields.items())
    return {
        name: ["relu"] if name == "layers" else 2
        for name, info in fields
        if info.is_required() and name != but
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_largest_number_of_an_option_ends_in_no_traceback(kind: type[Choice]) -> None:
    for name, info in kind.model_fields.items():
        for value in largest(info.annotation, info.metadata):
            layer = {kind.kind: {**required(kind, but=name), name: value}}
            for before in ([], ["flatten"]):
                layers = [*before, layer, "flatten", {"linear": "classes"}]
                plain = {"model": {"layers": layers}}
                with suppress(FaultError):
                    complete(from_plain(plain, Place("x.yaml", 1, 1)), "x")


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"conv": {"out_channels": 6, "padding": 10**9}}], "6 channels of"),
        ([{"zero_pad": 10**9}, {"conv": {"out_channels": 1, "kernel_size": 1}}], "1 channel of"),
        (["flatten", {"linear": 10**9}, {"linear": 10**9}], "1,000,000,001,000,000,000 weights"),
        ([{"upsample": {"scale_factor": 10**6}}, "flatten", {"linear": 10**9}], "1 channel of"),
    ],
)
def test_what_no_machine_can_hold_is_refused_at_its_layer(layers: list[Any], message: str) -> None:
    plain = {"model": {"layers": [*layers, "flatten", {"linear": "classes"}]}}
    with pytest.raises(FaultError) as raised:
        complete(from_plain(plain, Place("x.yaml", 1, 1)), "x")
    [fault] = raised.value.faults
    assert message in fault.message
    assert "more than 1,000,000,000,000 values" in fault.message
    assert fault.path[:2] == ("model", "layers")
