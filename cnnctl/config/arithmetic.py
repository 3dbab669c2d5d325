"""Arithmetic in templates: `$width / 16`, of parameters and numbers, with + - * / // and ( ).

Parameters are the only names, and there are no calls and no powers. Numbers are exact fractions, so
`/` gives an integer if it divides evenly; Python evaluates nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import isfinite

from cnnctl.config.nodes import Node
from cnnctl.config.wording import show
from cnnctl.errors import config_fault

MAX_CHARACTERS = 200
MAX_DEPTH = 16
"""Limit on nested parentheses."""
MOST = 10**15
"""Limit on numerators and denominators."""

_PARAMETER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_TOKEN = re.compile(r"\s*(\$?[A-Za-z_]\w*|\d+(?:\.\d+)?|//|[-+*/()]|\S)", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_SUMS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
}
_PRODUCTS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "//": lambda a, b: Fraction(a // b),
}


def parameters_in(text: str) -> list[str]:
    """The names of the parameters in a formula."""
    return _PARAMETER.findall(text)


def with_values(text: str, scope: Mapping[str, Node]) -> str:
    """A formula with its parameters replaced by their values: `24 / 16`."""
    return _PARAMETER.sub(lambda name: show(scope[name[1]].plain()), text)


def evaluate(text: str, scope: Mapping[str, Node]) -> int | float:
    """Evaluate a formula to an integer, or to a float if it does not divide evenly.

    Raises:
        FaultError: it is malformed, a parameter is not a number, it divides by zero, or exceeds
            the limits.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the formula has {len(text)} characters"
        raise config_fault(message, hint=f"use at most {MAX_CHARACTERS}")
    reader = _Reader(text, scope)
    result = reader.sum(depth=0)
    if reader.ahead:
        raise reader.fault(f"unexpected {show(reader.ahead)}")
    return result.numerator if result.denominator == 1 else float(result)


class _Reader:
    """Reads a formula from left to right, one token ahead."""

    def __init__(self, text: str, scope: Mapping[str, Node]) -> None:
        self.text = text
        self.scope = scope
        self.tokens = iter(_TOKEN.findall(text))
        self.ahead = next(self.tokens, "")

    def take(self) -> str:
        """Consume and return the next token."""
        token, self.ahead = self.ahead, next(self.tokens, "")
        return token

    def sum(self, depth: int) -> Fraction:
        """`a + b - c`."""
        result = self.product(depth)
        while self.ahead in _SUMS:
            result = self.combined(_SUMS[self.take()], result, self.product(depth))
        return result

    def product(self, depth: int) -> Fraction:
        """`a * b / c // d`."""
        result = self.factor(depth)
        while self.ahead in _PRODUCTS:
            result = self.combined(_PRODUCTS[self.take()], result, self.factor(depth))
        return result

    def factor(self, depth: int) -> Fraction:
        """A number, a parameter, or a sum in parentheses; each may be negated."""
        if depth > MAX_DEPTH:
            raise self.fault(f"nested deeper than {MAX_DEPTH} levels")
        token = self.take()
        if token == "-":
            return -self.factor(depth + 1)
        if token == "(":
            inner = self.sum(depth + 1)
            if self.take() != ")":
                raise self.fault("unclosed parenthesis")
            return inner
        if token.startswith("$") and token[1:] in self.scope:
            return self.bounded(self.number(token))
        if not _NUMBER.fullmatch(token):
            raise self.fault(f"{show(token)} is not a number" if token else "unexpected end")
        return self.bounded(Fraction(token))

    def number(self, parameter: str) -> Fraction:
        """The value of a parameter."""
        value = self.scope[parameter[1:]].value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not isfinite(float(str(value))):
            plain = self.scope[parameter[1:]].plain()
            raise self.fault(f"{parameter} is {show(plain)} here, not a number")
        return Fraction(str(value))

    def combined(
        self, operation: Callable[[Fraction, Fraction], Fraction], a: Fraction, b: Fraction
    ) -> Fraction:
        """The result of one operation."""
        try:
            return self.bounded(operation(a, b))
        except ZeroDivisionError:
            raise self.fault("division by zero") from None

    def bounded(self, result: Fraction) -> Fraction:
        """The same number, if it is within the limits."""
        if max(abs(result.numerator), result.denominator) > MOST:
            raise self.fault("numbers are too large")
        return result

    def fault(self, what: str) -> Exception:
        """The fault for this formula."""
        hint = "write parameters and numbers with + - * / // and parentheses"
        return config_fault(f"{show(self.text)}: {what}", hint=hint)
