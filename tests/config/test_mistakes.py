"""Whatever is changed in an experiment is either taken or refused in words."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cnnctl.config.parsing import parse
from cnnctl.config.source import locate
from cnnctl.config.validation import validate
from cnnctl.config.writing import dump
from cnnctl.errors import ConfigPath, FaultError
from cnnctl.experiment import Experiment

PlainOf = Callable[[type], SearchStrategy[Any]]

JUNK = [
    *(None, True, 0, -1, 3, 1.5, 1e3, float("inf"), float("nan"), 10**30, 1e300),
    *("", "x", "auto", "classes", "no", "9" * 50, "two\nlines", "\x1b[31m"),
    *([], {}, [1], [1, 2], [[1]], ["relu"], {"name": "x"}, {"name": "sgd"}, {"a": 1, "b": 2}),
]
NOT_OURS = ("pydantic", "Input", "constrained", "literal[", "NoneType", "\n", "\x1b")


def paths(data: Any, path: ConfigPath = ()) -> Iterator[ConfigPath]:
    yield path
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from paths(value, (*path, key))


def changed(data: Any, path: ConfigPath, value: Any) -> Any:
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = changed(data[path[0]], path[1:], value)
    return copy


DRAWN = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(DRAWN, max_examples=8)
@given(data=st.data())
def test_a_mistake_is_reported_in_words_with_a_place_and_a_cure(
    data: st.DataObject, plain_of: PlainOf
) -> None:
    assert_told(data, plain_of)


@pytest.mark.long
@settings(DRAWN, max_examples=40)
@given(data=st.data())
def test_whatever_is_a_mistake_is_reported_in_words(data: st.DataObject, plain_of: PlainOf) -> None:
    assert_told(data, plain_of)


def assert_told(data: st.DataObject, plain_of: PlainOf) -> None:
    """Of one mistake in an experiment that is drawn."""
    plain = data.draw(plain_of(Experiment))
    path = data.draw(st.sampled_from(list(paths(plain))[1:]))
    junk = data.draw(st.sampled_from(JUNK))
    root = parse(dump(changed(plain, path, junk)), origin="x.yaml")
    try:
        validate(Experiment, root)
    except FaultError as error:
        for fault in error.faults:
            assert locate(root, fault).line
            assert fault.message
            assert fault.hint
            assert not any(part in fault.message + fault.hint for part in NOT_OURS)
