"""`cnnctl train`: train an experiment, or go on with a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.commands import DataFolder, Plugins, command
from cnnctl.errors import Fault, FaultError

@command("train")
def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="The experiment's YAML file, and options to change, like train.epochs=3.",
            metavar="CONFIG [PATH=VALUE]...",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Go on with a run: its folder, a checkpoint, or nothing for the newest.",
            metavar="[RUN]",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders are made.", metavar="DIR")] = Path(
        "runs"
    ),
    data: DataFolder = None,
    plugin: Plugins = None,
) -> None:
    """Train the network of a YAML file, or go on with a run that was stopped."""
    from rich.console import Console

    from cnnctl.data.download import data_root
    from cnnctl.training.progress import conclude
    from cnnctl.training.recipe import train as run_recipe
    from cnnctl.training.starting import begin_run, resume_run

    config, overrides = split_arguments(arguments or [], is_resuming=bool(resume))
    if resume is None:
        start = begin_run(config, overrides, runs=runs)
    else:
        start = resume_run(config, overrides, resume, runs=runs, plugins=plugin or ())
    console = Console(highlight=False)
    try:
        outcome = run_recipe(start, data_root=data or data_root(), console=console)
    finally:
        start.folder.close()
    conclude(console, outcome, command_to_resume(start.folder.path, data))
    if outcome.stopped_by is not None:
        raise typer.Exit(128 + outcome.stopped_by)


def command_to_resume(folder: Path, data: Path | None) -> str:
    """What to type to go on with a run."""
    words = ["cnnctl", "train", "--resume", str(folder)]
    return shlex.join([*words, "--data", str(data)] if data else words)


def split_arguments(given: list[str], *, is_resuming: bool) -> tuple[Path | None, list[str]]:
    """The configuration, which a named run has already, and the overrides."""
    if given and not (is_resuming and "=" in given[0]):
        return Path(given[0]), given[1:]
    if is_resuming:
        return None, given
    message = "train what? no configuration is named"
    raise FaultError(Fault(message=message, cure="cnnctl train configs/lenet.yaml"))
