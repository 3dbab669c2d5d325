"""An experiment's file with the reason for each setting as a comment on its line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any, NamedTuple

from cnnctl.config.writing import inline
from cnnctl.escaping import visible

WIDEST, LONGEST = 40, 100
"""Code longer than the first does not move the comments of others; a line longer than the second
has its comment above."""


class Setting(NamedTuple):
    """An option, and the reason for its value."""

    path: str
    """`section.option`, or only `section` for its short form."""
    value: Any
    reason: str = ""


def document(title: Sequence[str], settings: Sequence[Setting]) -> str:
    """The file; settings of a section are together."""
    lines = [*(f"# {visible(line)}" for line in title), ""]
    for section, group in groupby(settings, lambda setting: setting.path.partition(".")[0]):
        of_section = list(group)
        if of_section[0].path != section:
            lines.append(f"{section}:")
        lines += _aligned(of_section)
    return "\n".join(lines) + "\n"


def counted(count: int, noun: str) -> str:
    """`1 picture`, `2,000 pictures`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def lasting(seconds: float) -> str:
    """`about 5 s`, `about 12 min`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:,.0f} min"


def _aligned(settings: Sequence[Setting]) -> list[str]:
    codes = [_code(setting) for setting in settings]
    widths = [len(code) for code, each in zip(codes, settings, strict=True) if each.reason]
    column = max((width for width in widths if width <= WIDEST), default=0)
    return [
        line
        for code, each in zip(codes, settings, strict=True)
        for line in _with_reason(code, visible(each.reason), column)
    ]


def _code(setting: Setting) -> str:
    section, _, option = setting.path.partition(".")
    indent = "  " * bool(option)
    code = f"{indent}{option or section}: {inline(setting.value)}"
    if len(code) <= LONGEST or not isinstance(setting.value, list | dict):
        return code
    if isinstance(setting.value, dict):
        pairs = setting.value.items()
        items = [f"{indent}  {inline(key)}: {inline(item)}" for key, item in pairs]
    else:
        items = [f"{indent}  - {inline(item)}" for item in setting.value]
    return "\n".join((f"{indent}{option or section}:", *items))


def _with_reason(code: str, reason: str, column: int) -> list[str]:
    if not reason:
        return [code]
    line = f"{code.ljust(column)}  # {reason}"
    if len(line) <= LONGEST:
        return [line]
    indent = " " * (len(code) - len(code.lstrip()))
    return [*(f"{indent}# {part}" for part in wrap(reason, LONGEST - len(indent) - 2)), code]
