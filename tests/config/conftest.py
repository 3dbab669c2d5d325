"""Options of every kind, drawn from the types and bounds of its fields."""

import types
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from math import ceil, floor
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from cnnctl.config.choice import Choice, Spec
from cnnctl.data.sources.inline import Inline
from cnnctl.experiment.distill import TorchvisionTeacher
from cnnctl.model.block import Block
from cnnctl.model.layers.torchvision_models import Torchvision

Plain = SearchStrategy[Any]
PlainOf = Callable[[type[Spec]], Plain]


@pytest.fixture(scope="session")
def plain_of() -> PlainOf:
    """A kind, or the whole experiment, as plain data that it accepts."""
    return accepted


SAMPLES: dict[type[Spec], Plain] = {
    Inline: st.sampled_from(
        [
            {"inputs": [[1, 2.5], [3, 4]], "targets": [0, 1]},
            {"inputs": [[1], [2]], "targets": [[0.5], [1]], "batch_size": 1, "normalize": "auto"},
        ]
    ),
    Torchvision: st.just({"model": "resnet18"}),
    TorchvisionTeacher: st.just({"model": "resnet18", "weights": "there.pth", "size": 96}),
}
"""Where options depend on each other so much that drawn ones would hardly ever fit."""


def accepted(spec: type[Spec]) -> Plain:
    def is_accepted(options: Any) -> bool:
        try:
            spec.model_validate(options)
        except ValidationError:
            return False
        return True

    drawn = SAMPLES[spec] if spec in SAMPLES else options_of(spec)
    return drawn.filter(is_accepted)


def options_of(spec: type[Spec]) -> Plain:
    fields = {name: value_of(info.annotation, info.metadata) for name, info in field_infos(spec)}
    required = {name for name, info in field_infos(spec) if info.is_required()}
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: fields[name] for name in fields if name not in required},
    )


def field_infos(spec: type[Spec]) -> list[tuple[str, FieldInfo]]:
    return list(spec.model_fields.items())


def member_of(family: type[Choice]) -> Plain:
    def written(kind: str, member: type[Choice]) -> Plain:
        if family.item:
            return accepted(member).map(lambda options: {kind: options})
        return accepted(member).map(lambda options: {"name": kind, **options})

    return st.one_of([written(k, m) for k, m in family.kinds.items() if not issubclass(m, Block)])


@cache
def nested(family: type[Choice]) -> Plain:
    """A member, which may contain another of its family: an optimizer those of its groups."""
    return st.deferred(lambda: member_of(family))


def value_of(annotation: Any, metadata: Iterable[Any] = ()) -> Plain:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        return value_of_class(annotation, metadata)
    made: dict[Any, Callable[[], Plain]] = {
        Annotated: lambda: value_of(arguments[0], [*metadata, *arguments[1:]]),
        Union: lambda: st.one_of([value_of(part) for part in arguments]),
        types.UnionType: lambda: st.one_of([value_of(part) for part in arguments]),
        dict: lambda: mappings(arguments[1], least=2),
        Mapping: lambda: st.just({}) | mappings(arguments[1], least=1),
        Literal: lambda: st.sampled_from(arguments),
        list: lambda: items_of(arguments[0], metadata),
        tuple: lambda: (
            items_of(arguments[0], metadata)
            if Ellipsis in arguments
            else st.tuples(*map(value_of, arguments)).map(list)
        ),
    }
    return made[origin]()


def mappings(annotation: Any, *, least: int) -> Plain:
    names = st.sampled_from(["left", "right", "way"])
    return st.dictionaries(names, value_of(annotation), min_size=least)


def value_of_class(annotation: Any, metadata: Iterable[Any]) -> Plain:
    if issubclass(annotation, Choice):
        return nested(annotation)
    if issubclass(annotation, Spec):
        return accepted(annotation)
    scalars: dict[type, Callable[[], Plain]] = {
        type(None): st.none,
        bool: st.booleans,
        str: lambda: st.sampled_from(["stem", "x_1", "auto"]),
        int: lambda: integers(metadata),
        float: lambda: integers(metadata) | numbers(metadata),
    }
    return scalars[annotation]()


def bounds_of(metadata: Iterable[Any]) -> list[Any]:
    infos = [data.metadata if isinstance(data, FieldInfo) else [data] for data in metadata]
    return [bound for info in infos for bound in info]


def items_of(annotation: Any, metadata: Iterable[Any]) -> Plain:
    bounds = bounds_of(metadata)
    least = max([bound.min_length for bound in bounds if isinstance(bound, MinLen)], default=0)
    most = min([bound.max_length for bound in bounds if isinstance(bound, MaxLen)], default=3)
    return st.lists(value_of(annotation), min_size=least, max_size=most)


def integers(metadata: Iterable[Any]) -> Plain:
    low, high = limits(metadata)
    return st.integers(ceil(low), floor(high))


def numbers(metadata: Iterable[Any]) -> Plain:
    low, high = limits(metadata)
    return st.floats(low, high, allow_nan=False)


def limits(metadata: Iterable[Any]) -> tuple[float, float]:
    """The least and the largest number, those that a bound excludes included."""
    low, high = -1000.0, 1000.0
    for bound in bounds_of(metadata):
        if isinstance(bound, Gt | Ge):
            low = float(bound.gt if isinstance(bound, Gt) else bound.ge)  # type: ignore[arg-type]
        if isinstance(bound, Lt | Le):
            high = float(bound.lt if isinstance(bound, Lt) else bound.le)  # type: ignore[arg-type]
    return low, max(min(high, 1000.0), low)
