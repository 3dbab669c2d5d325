"""The console for tables and progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cnnctl.escaping import visible, visible_lines


class Screen(Console):
    """A console that prints a string verbatim: one line, no markup, no control sequences.

    Only a `Text`, which only our code creates, has lines or colours of its own.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape a string before its width is measured."""
        return super().render_str(visible(text), **{**options, "markup": False})

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The same for text that was rendered elsewhere."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)


@contextmanager
def advancing(total: int, label: str) -> Iterator[Callable[[int], object]]:
    """A bar on stderr, if that is a terminal; what it yields is told how many more are done."""
    from rich import progress as bars

    console = Screen(stderr=True)
    if not console.is_terminal:
        yield lambda more: None
        return
    columns = (
        *(bars.TextColumn(label), bars.BarColumn()),
        *(bars.MofNCompleteColumn(), bars.TimeRemainingColumn()),
    )
    shown = bars.Progress(*columns, console=console, transient=True, redirect_stdout=False)
    with shown as progress:
        task = progress.add_task(label, total=total)
        yield lambda more: progress.advance(task, more)
