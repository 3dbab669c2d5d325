"""Formulas as LaTeX."""

from __future__ import annotations

import re

_SYMBOLS = {
    "α": r"\alpha ",
    "β": r"\beta ",
    "γ": r"\gamma ",
    "δ": r"\delta ",
    "ε": r"\varepsilon ",
    "μ": r"\mu ",
    "σ": r"\sigma ",
    "Σ": r"\sum ",
    "Φ": r"\Phi ",
    "Δ": r"\Delta ",
    "±": r"\pm ",
    "²": "^2",
    "ᵀ": r"^{\top}",
    "⊙": r"\odot ",
    "·": r"\cdot ",
    "→": r"\to ",
    "…": r"\ldots ",
}
_FUNCTIONS = {"exp", "ln", "max", "min", "tanh"}
_PLAIN = re.compile(r"d[A-Za-z]|[a-z][12]")
"""Symbols of two letters: dW, l2."""
_HAT = "\N{COMBINING CIRCUMFLEX ACCENT}"
_TOKEN = re.compile(
    rf"(?P<hat>\w{_HAT})|(?P<power>\d(?:\.\d+)?e[+-]\d+)|(?P<word>[^\W\d_²ᵀ][^\W²ᵀ]*(?:\.\w+)*)|(?P<other>.)"
)


def latex(formula: str) -> str:
    """A formula of a trace as LaTeX, for use between dollar signs."""
    text = _absolutes(_roots(formula))
    return "".join(_token(found) for found in _TOKEN.finditer(text)).strip()


def _token(found: re.Match[str]) -> str:
    text = found[0]
    if found["hat"]:
        return rf"\hat{{{text[0]}}}"
    if found["power"]:
        factor, _, exponent = text.partition("e")
        power = f"10^{{{int(exponent)}}}"
        return power if factor == "1" else rf"{factor} \cdot {power}"
    if found["word"]:
        return _word(text)
    return _SYMBOLS.get(text, text)


def _word(text: str) -> str:
    if text in _FUNCTIONS:
        return rf"\{text} "
    if text == "sign":
        return r"\operatorname{sign}"
    if text in ("sqrt", "lvert", "rvert"):  # which this module has put there
        return text
    if len(text) == 1 or _PLAIN.fullmatch(text):
        return "".join(_SYMBOLS.get(letter, letter) for letter in text)
    if all(letter in _SYMBOLS for letter in text):
        return "".join(map(_SYMBOLS.__getitem__, text))
    return rf"\text{{ {text.replace('_', chr(92) + '_')} }}"


def _roots(text: str) -> str:
    """`√(a + b)` as `\\sqrt{a + b}`, and `√v` as `\\sqrt{v}`."""
    while (start := text.find("√")) >= 0:
        end = _end_of_root(text, start + 1)
        inner = text[start + 1 : end]
        inner = inner[1:-1] if inner.startswith("(") else inner
        text = f"{text[:start]}\\sqrt{{{inner}}}{text[end:]}"
    return text


def _end_of_root(text: str, start: int) -> int:
    if text[start : start + 1] != "(":
        return start + (2 if text[start + 1 : start + 2] == _HAT else 1)
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if not depth:
            return place + 1
    return len(text)


def _absolutes(text: str) -> str:
    r"""`|e|` as `\lvert e \rvert`: a bar would end a cell of a table."""
    return re.sub(r"\|([^|]*)\|", r"\\lvert \1 \\rvert ", text)
