"""`cnnctl train`: train an experiment, or resume a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import DataFolder, Plugins, command, split_words
from cnnctl.errors import Fault, FaultError


@command("train")
def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="Experiment file or name, and options to override, such as train.epochs=3.",
            metavar="CONFIG|PATH=VALUE",
            show_default=False,
            autocompletion=completion.override,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Resume a run: its folder or a checkpoint (default: the latest run).",
            metavar="[RUN]",
            show_default=False,
            autocompletion=completion.run,
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Directory for run folders.", metavar="DIR")] = Path(
        "runs"
    ),
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Record a few steps as a trace for Perfetto and TensorBoard, in the run folder.",
        ),
    ] = False,
    data: DataFolder = None,
    plugin: Plugins = None,
) -> None:
    """Train an experiment, or resume a run."""
    from cnnctl.api.training import run_to_its_end
    from cnnctl.console import Screen
    from cnnctl.data.download import used_folder
    from cnnctl.rendezvous import joined
    from cnnctl.training.progress import print_result
    from cnnctl.training.starting import begin_run, resume_run

    named, overrides = split_words(arguments or [], for_two="train one at a time")
    config = None if named is None else Path(named)
    with joined() as world:
        if resume is not None:
            start = resume_run(
                *(config, overrides, resume),
                runs=runs,
                plugins=plugin or (),
                data_root=data,
                world=world,
            )
        elif config is not None:
            start = begin_run(config, overrides, runs=runs, data_root=data, world=world)
        else:
            message, hint = "no config file given", "try cnnctl train lenet"
            raise FaultError(Fault(message=message, hint=hint))
        console = Screen(quiet=not world.is_first)
        result, stopped_by = run_to_its_end(
            start, data_root=data, console=console, is_profiled=profile
        )
        data = used_folder(start.loaded.experiment.data, data)
        print_result(console, result, start.folder, data=data)
    if stopped_by is not None:
        raise typer.Exit(128 + stopped_by)
