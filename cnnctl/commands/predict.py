"""`cnnctl predict`: answer for new inputs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from cnnctl import completion
from cnnctl.commands import Device, Plugins, Views, command, display, say
from cnnctl.errors import Fault, FaultError

if TYPE_CHECKING:
    from cnnctl.experiment import Task
    from cnnctl.prediction.answers import Answered
    from cnnctl.world import World

FORMATS = (".csv", ".jsonl")


@command("predict")
def predict(
    source: Annotated[
        Path,
        typer.Argument(
            help="Run folder or checkpoint.",
            metavar="RUN",
            show_default=False,
            autocompletion=completion.run,
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders, archives, tables or arrays; - reads names from stdin.",
            metavar="INPUT...",
            show_default=False,
        ),
    ],
    top_k: Annotated[
        int | None,
        typer.Option(
            help="Number of classes to show (default: 1; in JSON, all).", min=1, show_default=False
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print a JSON object per line instead of a table.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file instead: .csv or .jsonl.", metavar="FILE"
        ),
    ] = None,
    views: Views = 1,
    device: Device = "auto",
    plugin: Plugins = None,
) -> None:
    """Predict the classes, labels or values of new inputs."""
    import sys

    from cnnctl.data.inputs import find_inputs
    from cnnctl.device import memory_faults, use_part_of_machine
    from cnnctl.prediction.answers import answer_together
    from cnnctl.prediction.unread import Unread
    from cnnctl.prediction.views import with_views
    from cnnctl.rendezvous import joined
    from cnnctl.run_lookup import find_checkpoint
    from cnnctl.trained import open_trained

    suffix = _format(output, csv=csv, jsonl=jsonl)
    unread = Unread(hint="see `error` in --jsonl")
    is_shown_at_once = bool(suffix) and output is None and sys.stdout.isatty()
    with joined() as world:
        with world.together():
            own = use_part_of_machine(device, world)
            trained = open_trained(find_checkpoint(source), device=own, plugins=plugin or ())
            trained = with_views(trained, views)
        found = find_inputs(inputs, trained.experiment.data, stdin=_standard_input(inputs, world))
        is_counted = world.is_first and not is_shown_at_once
        with memory_faults(trained.device), _counting(shown=is_counted) as advance:
            answered = unread.noting(_told(answer_together(trained, found, world), advance))
            if world.is_first:
                _write(answered, trained.tasks, suffix, top=top_k, output=output)
            else:
                deque(answered, maxlen=0)  # rank 0 writes for all
    if not world.is_first:
        return
    if output is not None:
        say(f"{unread.answered:,} answers: {output}")
    unread.report()


def _standard_input(inputs: Sequence[str], world: World) -> BinaryIO:
    """Standard input, of which rank 0 gives all others a copy."""
    import sys

    if world.size == 1 or "-" not in inputs:
        return sys.stdin.buffer
    return BytesIO(world.share_bytes(sys.stdin.buffer.read() if world.is_first else b""))


def _write(
    answered: Iterable[Answered],
    tasks: Sequence[Task],
    suffix: str,
    *,
    top: int | None,
    output: Path | None,
) -> None:
    """Print the answers, or write them to a file, in the format with this suffix."""
    from cnnctl.prediction.writing import as_csv, as_json_lines, as_table
    from cnnctl.storage import replacing

    if not suffix:
        table = as_table(answered, tasks, top=top)
        if table.row_count:
            display(table)
        return
    is_json = suffix == ".jsonl"
    lines = as_json_lines(answered, top=top) if is_json else as_csv(answered, tasks, top=top)
    if output is None:
        for line in lines:
            say(line)
        return
    with replacing(output, option="-o") as file:
        file.writelines(f"{line}\n".encode(errors="backslashreplace") for line in lines)


def _told(answered: Iterable[Answered], advance: Callable[[], object]) -> Iterator[Answered]:
    """Pass everything on, and tell of each."""
    for each in answered:
        advance()
        yield each


@contextmanager
def _counting(*, shown: bool) -> Iterator[Callable[[], object]]:
    """Show how many inputs have been answered, on a terminal."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from cnnctl.console import Screen

    console = Screen(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} answers"))
    progress = Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,  # or answers would be printed on stderr
        disable=not (shown and console.is_terminal),
    )
    with progress:
        task = progress.add_task("answering", total=None)
        yield lambda: progress.advance(task)


def _format(output: Path | None, *, csv: bool, jsonl: bool) -> str:
    """The suffix of the format that is asked for; empty for a table.

    Raises:
        FaultError: several are, or none for a file.
    """
    asked = [suffix for suffix, is_asked in zip(FORMATS, (csv, jsonl), strict=True) if is_asked]
    if output is not None and output.suffix.lower() in FORMATS:
        asked.append(output.suffix.lower())
    if len(set(asked)) > 1:
        message = f"expected one format, but got {' and '.join(dict.fromkeys(asked))}"
        raise FaultError(Fault(message=message, hint="choose one"))
    if output is not None and not asked:
        message = "has no format"
        hint = "end its name in .csv or .jsonl, or add --csv or --jsonl"
        raise FaultError(Fault(message=message, hint=hint, place=str(output)))
    return asked[0] if asked else ""
