"""Against the tables of https://yaml.org/spec/1.2.2/#103-core-schema."""

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.config.scalars import MAX_LENGTH, read_scalar

# example 10.9, with its JSON beside it
CORE_TAG_RESOLUTION: list[tuple[str, Any]] = [
    ("null", None),
    ("", None),
    ("true", True),
    ("True", True),
    ("false", False),
    ("FALSE", False),
    ("0", 0),
    ("0o7", 7),
    ("0x3A", 58),
    ("-19", -19),
    ("0.", 0.0),
    ("-0.0", -0.0),
    (".5", 0.5),
    ("+12e03", 12000.0),
    ("-2E+05", -200000.0),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("+.INF", math.inf),
]
READ_OTHERWISE_BY_YAML_1_1: list[tuple[str, Any]] = [
    ("1e-3", 0.001),
    ("1E5", 100000.0),
    ("010", 10),
    ("0o17", 15),
    ("0x1F", 31),
    ("yes", "yes"),
    ("No", "No"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("1_000", "1_000"),
    ("12:30:45", "12:30:45"),
    ("0b101", "0b101"),
    ("2001-12-14", "2001-12-14"),
    ("=", "="),
]
NO_NUMBERS = [
    *("-0x1F", "0X1F", "0o8", "e3", "1e", ".", "+", "--1", "1.2.3"),
    *("inf", "nan", "٣", "1\n", " 1"),
]


@pytest.mark.parametrize(("text", "value"), CORE_TAG_RESOLUTION + READ_OTHERWISE_BY_YAML_1_1)
def test_a_scalar_is_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = read_scalar(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_nan_is_not_a_number(text: str) -> None:
    found = read_scalar(text)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_only_looks_like_a_number_is_a_text(text: str) -> None:
    assert read_scalar(text) == text


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "0." + "1" * 5000])
def test_a_number_without_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"a number of {len(text)} characters"):
        read_scalar(text)


def test_a_long_text_is_no_number() -> None:
    assert read_scalar("a" * 5000) == "a" * 5000


# the specification's regular expressions as they are printed, spaces and all, in its order
TAGS = [
    ("null", r"null | Null | NULL | ~"),
    ("null", r" "),
    ("bool", r"true | True | TRUE | false | False | FALSE"),
    ("int", r"[-+]? [0-9]+"),
    ("int", r"0o [0-7]+"),
    ("int", r"0x [0-9a-fA-F]+"),
    ("float", r"[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?"),
    ("float", r"[-+]? ( \.inf | \.Inf | \.INF )"),
    ("float", r"\.nan | \.NaN | \.NAN"),
]
TYPES = {"null": type(None), "bool": bool, "int": int, "float": float}


def type_by_the_specification(text: str) -> type:
    matches = (TYPES[tag] for tag, pattern in TAGS if re.fullmatch(pattern, text, re.VERBOSE))
    return next(matches, str)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=12) | st.text("+-.0123456789eExoabcdefINFinfnullNULLtrue~", max_size=9))
def test_every_scalar_has_the_type_of_the_core_schema(text: str) -> None:
    assert type(read_scalar(text)) is type_by_the_specification(text)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back(number: float) -> None:
    assert len(repr(number)) < MAX_LENGTH
    found = read_scalar(repr(number))
    assert (type(found), found) == (type(number), number)
