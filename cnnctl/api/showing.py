"""What is printed as a table, and shown as one in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import StringIO

from rich.console import Console, ConsoleOptions, RenderResult

from cnnctl.console import Screen

WIDTH = 120
"""Characters of a line, where there is no terminal."""
FORMAT = '<pre style="line-height: normal; white-space: pre; overflow-x: auto">{code}</pre>'


class Shown(ABC):
    """Facts that rich renders."""

    @abstractmethod
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render them."""

    def __str__(self) -> str:
        text = _recorded(self).export_text()
        return "\n".join(line.rstrip() for line in text.splitlines())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The same for notebooks."""
        return _recorded(self).export_html(inline_styles=True, code_format=FORMAT)


def _recorded(shown: Shown) -> Console:
    """A console without a terminal that has printed this."""
    console = Screen(file=StringIO(), width=WIDTH, record=True, force_jupyter=False)
    console.print(shown)
    return console
