"""`cnnctl init`: write an experiment for your own data, or copy a shipped one."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import command, display, say
from cnnctl.errors import Fault, FaultError, closest, did_you_mean
from cnnctl.paths import is_file, is_folder, is_there
from cnnctl.shipped import experiments, is_shipped, text_of
from cnnctl.storage import contents, write_atomically


@command("init")
def init(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder or archive of pictures, in class folders or with a table of targets; a "
            "table (CSV, TSV, Parquet); an .npz file, a .npy file of the inputs, or a folder or "
            "archive of .npy files; or an experiment of `cnnctl list configs`.",
            metavar="PATH",
            show_default=False,
            autocompletion=completion.experiment,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write (default: NAME.yaml in the current folder).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Column or array to predict (default: found by its name); for several, separate "
            "them by commas or repeat the option.",
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option(
            "--pretrained/--no-pretrained",
            help="Start from ImageNet's weights, which training downloads once (default: for few "
            "pictures, if the weights are in torch's cache).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look at your data and write an experiment that trains on it."""
    is_copied = is_shipped(source) and not is_there(source)
    if not is_copied and not is_there(source):
        raise _missing(source)
    file = output or Path(f"{_name_of(source)}.yaml")
    _refuse_existing(file)
    if is_copied:
        text = text_of(str(source))
    else:
        from cnnctl.proposals import Wishes, proposer_for

        wishes = Wishes(file.parent, ",".join(target or []) or None, pretrained)
        proposal = proposer_for(source, wishes).propose(source, wishes)
        display(proposal.report)
        text = proposal.text
    _write(file, text)
    say(f"wrote {file}\nnext: cnnctl train {shlex.quote(str(file))}")


def _name_of(source: Path) -> str:
    """The name of a folder, or that of a file without its suffix."""
    from cnnctl.data.files import ARCHIVE_SUFFIXES

    name = (source if source.name not in ("", "..") else source.resolve()).name
    known = (*ARCHIVE_SUFFIXES, source.suffix.lower())
    suffixes = [suffix for suffix in known if name.lower().endswith(suffix)]
    cut = max(map(len, suffixes), default=0) if is_file(source) else 0
    return name[: len(name) - cut] or "experiment"


def _missing(source: Path) -> FaultError:
    there = {path.name: str(path) for path in _beside(source)}
    close = closest(source.name, [*there, *experiments()])
    hint = did_you_mean([there.get(name, name) for name in close])
    hint = hint or "give a file or a folder with data, or a name of `cnnctl list configs`"
    message = "no such file, folder or shipped experiment"
    return FaultError(Fault(message=message, hint=hint, place=str(source)))


def _beside(source: Path) -> list[Path]:
    """What is in the folder that a path should be in."""
    return contents(source.parent) if is_folder(source.parent) else []


def _refuse_existing(file: Path) -> None:
    if os.path.lexists(file):
        hint = "write another one with -o FILE"
        raise FaultError(Fault(message="already exists", hint=hint, place=str(file)))


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text.encode())
    except FaultError as error:
        hint = "choose another file with -o FILE"
        faults = (replace(fault, hint=hint) for fault in error.faults)
        raise FaultError(*faults, exit_code=error.exit_code) from None
