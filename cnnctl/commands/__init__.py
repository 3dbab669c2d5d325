"""The commands, one file each: parse, call, print.

All of these modules are imported to show the help, so none imports anything heavy at the top.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl import completion
from cnnctl.errors import ExitCode, Fault, FaultError
from cnnctl.escaping import to_json, visible_lines
from cnnctl.paths import current_folder, is_file, is_there
from cnnctl.program import Program
from cnnctl.shipped import is_shipped
from cnnctl.version import __version__
from cnnctl.vocabulary import YAML

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDE = 10_000
"""Line width in files and pipes, wide enough that nothing is folded."""

app = typer.Typer(
    name="cnnctl",
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


Views = Annotated[
    int,
    typer.Option(
        help="Average the outputs over views of each image: 2 (mirrored), 3 (shifted by a "
        "pixel) or 6 (both).",
        metavar="N",
        show_default=False,
    ),
]


class SplitOption(StrEnum):
    """The splits of a dataset."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


Source = Annotated[
    Path,
    typer.Argument(
        help="Experiment file, run folder, checkpoint, or name of a network or experiment.",
        metavar="SOURCE",
        show_default=False,
        autocompletion=completion.source,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="Options to override, such as model.layers.0.conv.out_channels=8.",
        metavar="PATH=VALUE",
        show_default=False,
        autocompletion=completion.override,
    ),
]
Device = Annotated[
    str,
    typer.Option(help="Device: cpu, cuda, cuda:N or auto.", autocompletion=completion.device),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python plugin that the checkpoint needs. Its code is run."),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Dataset directory (default: $CNNCTL_DATA or data/).", metavar="DIR"
    ),
]
AnySplit = Annotated[
    SplitOption | None,
    typer.Option(
        "--split",
        help="Split to use (default: test; without one, validation, then train).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command; a fault ends it with its message and exit code."""

    def enter(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            try:
                current_folder()
                function(*arguments, **options)
            except FaultError as error:
                for fault in error.faults:
                    say(str(fault), err=True)
                raise typer.Exit(error.exit_code) from None
            except KeyboardInterrupt:
                say("stopped", err=True)
                raise typer.Exit(ExitCode.INTERRUPTED) from None

        app.command(name)(run)
        return run

    return enter


def split_words(words: Sequence[str], *, for_two: str) -> tuple[str | None, list[str]]:
    """The source of a command, at any position among the overrides, and the overrides.

    An override contains a `=`; so may a file, if it is the only one.

    Raises:
        FaultError: several files are given; `for_two` is the hint.
    """
    plain = [word for word in words if "=" not in word]
    plain = plain or [word for word in words if is_file(Path(word))][:1]
    files = [word for word in plain if _is_file(Path(word))]
    if len(files) > 1:
        raise FaultError(
            Fault(message=f"expected one, but got {len(files)}: {', '.join(files)}", hint=for_two)
        )
    source = next(iter([*files, *plain]), None)
    others = [*words]  # `list` is a command here
    if source is not None:
        others.remove(source)
    return source, others


def _is_file(path: Path) -> bool:
    return is_there(path) or path.suffix in YAML or is_shipped(path)


def say(text: str, *, err: bool = False) -> None:
    """Print text with its line breaks; everything else is escaped."""
    print(visible_lines(text), file=sys.stderr if err else sys.stdout, flush=True)


def print_json(data: Any) -> None:
    """Print data as JSON."""
    say(to_json(data))


def display(renderable: RenderableType) -> None:
    """Print a table, as wide as the terminal or $COLUMNS; to a file or pipe, one line per row."""
    from cnnctl.console import Screen

    console = Screen()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    console.print(renderable)


def _print_version(asked: bool) -> None:
    if asked:
        say(f"cnnctl {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Train MLPs and CNNs described in YAML, with PyTorch."""
