"""pydantic's errors as readable messages: what is wrong with a value, and what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from cnnctl.config.nodes import Scalar
from cnnctl.config.scalars import read_scalar
from cnnctl.errors import closest, did_you_mean, either

MAX_LENGTH = 40
"""Characters of a value to show in a message."""

MOST_EXACT = 2**53
"""The limit up to which floats represent all integers exactly."""

_SCALARS = {
    "None": "nothing",
    "True": "true",
    "False": "false",
    "inf": ".inf",
    "-inf": "-.inf",
    "nan": ".nan",
}

_TYPES = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "tuple_type": "a list of numbers",
    "dict_type": "a mapping",
    "model_type": "a mapping of options",
}
"""The expected type, by pydantic's error type."""

_EXAMPLES = {
    "an integer": " (like 3)",
    "a number": " (like 0.1)",
    "a list": " (like [a, b])",
    "a list of numbers": " (like [1, 2])",
    "a mapping": " (like {name: value})",
    "a mapping of options": " (like {option: value})",
}

_BOUNDS: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "greater_than": lambda c: ("is too small", f"a number greater than {exact(c['gt'])}"),
    "greater_than_equal": lambda c: ("is too small", f"a number of at least {exact(c['ge'])}"),
    "less_than": lambda c: ("is too large", f"a number less than {exact(c['lt'])}"),
    "less_than_equal": lambda c: ("is too large", f"a number of at most {exact(c['le'])}"),
    "finite_number": lambda _: ("is not finite", "a finite number"),
    "too_short": lambda c: ("is too short", f"a list of at least {_items(c['min_length'])}"),
    "too_long": lambda c: ("is too long", f"a list of at most {_items(c['max_length'])}"),
    "string_too_long": lambda c: ("is too long", f"at most {c['max_length']} characters"),
}
"""Message and hint for a value of the right type that is out of bounds."""


def describe(group: Sequence[ErrorDetails]) -> tuple[str, str]:
    """Message and hint for a value, from the errors of all branches of a union.

    If the value has the type of one branch, only the error of that branch counts.
    """
    value = group[0]["input"]
    for detail in group:
        if detail["type"] in _BOUNDS:
            fault, wanted = _BOUNDS[detail["type"]](detail.get("ctx", {}))
            return f"{show(value)} {fault}", f"write {wanted}"
        if "hint" in detail.get("ctx", {}):
            return detail["msg"], str(detail["ctx"]["hint"])
        if detail["type"] == "value_error":  # from a plugin, which need not give a hint
            return str(detail["ctx"]["error"]), "change it, or leave it out"
    wants = list(dict.fromkeys(want for detail in group for want in _wanted(detail)))
    cures = (hint(value, wants) for hint in _HINTS)
    plain = either([f"{want}{_EXAMPLES.get(want, '')}" for want in wants])
    hint = next((hint for hint in cures if hint), f"write {plain}")
    return "is empty" if value is None else f"{show(value)} is not {either(wants)}", hint


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def show(value: Any) -> str:
    """A value as written in YAML, shortened."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        items = ("{…}" if isinstance(item, dict) else show(item) for item in value)
        text = f"[{', '.join(items)}]"
    elif isinstance(value, str):
        is_plain = value.isprintable() and isinstance(_read(value), str)
        text = value if is_plain else repr(value)
    else:
        text = _SCALARS.get(str(value), str(value))
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _read(text: str) -> Scalar:
    """The value of a text if it were not quoted; a text too long for a number stays a text."""
    return read_scalar(text) if len(text) < MAX_LENGTH else text


def exact(number: float) -> str:
    """A number with all its digits: `3000000`, where `:g` writes 3e+06; `0.5`."""
    is_whole = isinstance(number, float) and number.is_integer() and abs(number) < MOST_EXACT
    return str(int(number) if is_whole else number)


def times(sides: Sequence[float]) -> str:
    """A shape: `16x5x5`; fractional strides are rounded."""
    return "x".join(exact(round(side, 4)) for side in sides)


def shape_of_sample(shape: Sequence[int]) -> str:
    """The shape of a sample, without the batch: `4 features`, `3x32x32`."""
    if len(shape) > 1:
        return times(shape)
    return "1 feature" if list(shape) == [1] else f"{shape[0]:,} features"


def _wanted(detail: ErrorDetails) -> list[str]:
    if detail["type"] == "literal_error":
        expected = detail["ctx"]["expected"]
        return re.findall(r"'([^']*)'", expected) or [expected]
    return [_TYPES.get(detail["type"]) or detail["msg"].removeprefix("Input should be ")]


def _nothing(value: Any, wants: Sequence[str]) -> str:
    return f"write {either(wants)}, or leave it out" if value is None else ""


def _close_word(value: Any, wants: Sequence[str]) -> str:
    words = [word for want in wants for word in _WORDS.get(want, (want,))]
    return did_you_mean(closest(value, words) if isinstance(value, str) else ())


_WORDS = {"true or false": ("true", "false"), **dict.fromkeys(_EXAMPLES, ())}
"""The words to suggest for a type."""


def _old_bool(value: Any, wants: Sequence[str]) -> str:
    """Words that are booleans in YAML 1.1, but not in YAML 1.2."""
    meant = {**dict.fromkeys(("yes", "on"), "true"), **dict.fromkeys(("no", "off"), "false")}
    found = meant.get(str(value).lower(), "") if "true or false" in wants else ""
    return f"write {found}" if found else ""


def _number_in_quotes(value: Any, wants: Sequence[str]) -> str:
    is_wanted = "a number" in wants or "an integer" in wants
    is_number = isinstance(value, str) and type(_read(value)) in (int, float)
    return f"write {value}, without quotes" if is_wanted and is_number else ""


def _integer(value: Any, wants: Sequence[str]) -> str:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return f"write {int(value)}" if is_whole and "an integer" in wants else ""


def _text_without_quotes(value: Any, wants: Sequence[str]) -> str:
    is_number = isinstance(value, int | float)
    return f"put it in quotes: '{show(value)}'" if is_number and "a string" in wants else ""


def _list_of_it(value: Any, wants: Sequence[str]) -> str:
    """A single item instead of a list, or items without dashes."""
    if "a list" not in wants or isinstance(value, list):
        return ""
    if isinstance(value, dict):
        return f"begin each item with a dash, like - {next(iter(value), '…')}"
    return f"write [{show(value)}]"


_HINTS = (
    _nothing,
    _old_bool,
    _number_in_quotes,
    _close_word,
    _list_of_it,
    _integer,
    _text_without_quotes,
)
"""Hints that guess what was meant; a new one is a function and its entry here."""
