"""Shows how far the work on many pictures is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnnctl.console import Screen
from cnnctl.data.pictures.processes import FEW, Advance


@contextmanager
def followed(work: str, count: int) -> Iterator[Advance]:
    """Show how far work (`decoding`) on so many pictures is: a bar on a terminal, else one line."""
    console = Screen(stderr=True)
    if not console.is_terminal:
        if count > FEW:
            print(f"{work} {count:,} pictures", file=sys.stderr)
        yield lambda more: None
        return
    columns = (TextColumn(work), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(work, total=count)
        yield lambda more: progress.advance(task, more)
