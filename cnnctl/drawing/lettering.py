"""The font of a sheet, and what it can draw."""

from __future__ import annotations

from functools import cache

from PIL import ImageFont

FONT = ImageFont.load_default(size=11)
_MISSING = "\U0010ffff"
"""A character that no font has; its picture stands for all that are missing."""


def is_drawable(text: str) -> bool:
    """Whether the font has all characters; Pillow's own lacks even most of Latin-1."""
    return all(map(_has, text))


@cache
def _has(character: str) -> bool:
    drawn, missing = (FONT.getmask(each) for each in (character, _MISSING))
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


def drawable(text: str) -> str:
    """The text with a question mark for each character that the font lacks."""
    return text if is_drawable(text) else "".join(c if _has(c) else "?" for c in text)


def shortened(text: str, *, width: float) -> str:
    """The text, or as much of its beginning as fits in so many pixels."""
    if FONT.getlength(text) <= width:
        return text
    fitting = (text[:end] + "…" for end in range(len(text) - 1, 0, -1))
    return next((each for each in fitting if FONT.getlength(each) <= width), "…")


def wrapped(text: str, *, width: float) -> list[str]:
    """The text in lines of at most so many pixels, broken between words."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if FONT.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
