"""A progress bar that fits on one line of any terminal, omitting the least important first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import Progress, Task, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

WIDEST, NARROWEST = 40, 8
"""Width of the bar itself; it is omitted if there is less room."""


class OneLine(Progress):
    """The progress of one task, whose fields are `head` and `parts`.

    `parts` follow the number of steps, the most important first.
    """

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line."""
        yield from (_Line(task) for task in self.tasks)


@dataclass(frozen=True, slots=True)
class _Line:
    task: Task

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head, steps = self.task.fields["head"], f"{self.task.completed:.0f}/{self.task.total:.0f}"
        left = TimeRemainingColumn(elapsed_when_finished=True).render(self.task).plain
        room = options.max_width - cell_len(f"{head} {steps}")
        parts = fitting(self.task.fields["parts"], left, room=room)
        words = [Text(steps, style="progress.download"), Text("  ".join(parts[:-1]))]
        words += [Text(part, style="progress.remaining") for part in parts[-1:]]
        words = [word for word in words if word]
        taken = cell_len(head) + sum(1 + word.cell_len for word in words)
        width = min(WIDEST, options.max_width - taken - 1)
        if width >= NARROWEST:
            bar = ProgressBar(self.task.total, self.task.completed, width=width)
            yield _beside([Text(head), bar, *words])
        else:
            line = Text(" ").join([Text(head), *words])
            line.truncate(options.max_width)
            yield line


def fitting(parts: Sequence[str], last: str, *, room: int) -> list[str]:
    """As many of the first parts as fit, and the last one if it fits, too."""
    chosen: list[str] = []
    for part in [*parts[:1], last, *parts[1:]]:
        if sum(cell_len(word) + 2 for word in [*chosen, part]) > room:
            break
        chosen.append(part)
    return [*chosen[:1], *chosen[2:], *chosen[1:2]]


def _beside(parts: Sequence[RenderableType]) -> Table:
    row = Table.grid(padding=(0, 1))
    for _ in parts:
        row.add_column(no_wrap=True)
    row.add_row(*parts)
    return row
