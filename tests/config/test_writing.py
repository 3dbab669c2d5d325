from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cnnctl.config.parsing import parse
from cnnctl.config.validation import validate
from cnnctl.config.writing import dump
from cnnctl.experiment import Experiment

PlainOf = Callable[[type], SearchStrategy[Any]]

UNRULY = [
    *("", " ", "no", "1e-3", "010", "0o17", "0x1f", "1_000", "12:30", "~", "null"),
    *(".inf", "=", "<<", "2001-01-01"),
    *("- a", "a: b", "#c", "a #b", "'", '"', "?", "...", "---", "%x", "@a", "`a", "!x", "&a", "*a"),
    *("\x85", "a\u2028b", "\ufeff", "\r\n", "\t", " lead", "trail ", "two\nlines", "ends\n"),
    *("größe", "\N{GRINNING FACE}" * 40, "x" * 200, "word " * 60, "1" * 150),
]
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, max_size=20) | st.sampled_from(UNRULY)
NUMBERS = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False)
DATA = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> Any:
    return parse(text, origin="x.yaml").plain()


@settings(max_examples=300, deadline=None)
@given(DATA)
def test_what_is_written_is_read_back(data: Any) -> None:
    found = read(dump(data))
    assert found == data
    assert repr(found) == repr(data)  # 1 is not 1.0, and not true


@pytest.mark.parametrize("text", UNRULY)
def test_a_text_stays_a_text(text: str) -> None:
    assert read(dump({text: text})) == {text: text}


def test_a_file_looks_as_people_write_it() -> None:
    data = {"name": "lenet", "data": {"size": [32, 32]}, "layers": [{"conv": {"a": 1}}, "relu"]}
    lines = ["name: lenet", "data:", "  size: [32, 32]", "layers:", "- conv: {a: 1}", "- relu"]
    assert dump(data).splitlines() == lines


def test_equal_values_are_written_out() -> None:
    shared = {"a": [1]}
    assert "&" not in dump([shared, shared])


DRAWN = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@settings(DRAWN, max_examples=6)
@given(data=st.data())
def test_an_experiment_is_read_back(data: st.DataObject, plain_of: PlainOf) -> None:
    assert_read_back(Experiment.model_validate(data.draw(plain_of(Experiment))))


@pytest.mark.long
@settings(DRAWN, max_examples=30)
@given(data=st.data())
def test_any_experiment_is_read_back(data: st.DataObject, plain_of: PlainOf) -> None:
    assert_read_back(Experiment.model_validate(data.draw(plain_of(Experiment))))


def assert_read_back(experiment: Experiment) -> None:
    text = dump(experiment.plain())
    again = validate(Experiment, parse(text, origin="config.yaml"))
    assert again == experiment
    assert dump(again.plain()) == text


def test_what_was_written_shows_every_default() -> None:
    experiment = Experiment.model_validate({"model": {"layers": [{"linear": 3}]}})
    plain = experiment.plain()
    assert plain["optimizer"] == {
        "name": "sgd",
        "lr": 0.001,
        "momentum": 0.0,
        "dampening": 0.0,
        "weight_decay": 0.0,
        "nesterov": False,
        "groups": [],
    }
    assert set(plain) == set(Experiment.model_fields)
