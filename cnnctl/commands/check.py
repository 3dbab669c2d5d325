"""`cnnctl check`: validate experiments and give advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import DataFolder, command, say
from cnnctl.errors import Fault, FaultError
from cnnctl.escaping import visible


@command("check")
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Experiment files, or names listed by `cnnctl list configs`.",
            show_default=False,
            autocompletion=completion.experiment,
        ),
    ],
    data: DataFolder = None,
) -> None:
    """Validate experiment files and give advice on valid but unwise settings."""
    from cnnctl.advice import advise
    from cnnctl.config.source import locate
    from cnnctl.experiment import load, starting_weights
    from cnnctl.model.weights import DEFAULT

    faults: list[Fault] = []
    for path in files:
        try:
            loaded = load(path, data_root=data)
            if loaded.experiment.model.weights != DEFAULT:  # which would have to be downloaded
                starting_weights(loaded)
        except FaultError as error:
            faults += error.faults
            continue
        for advice in advise(loaded.experiment, loaded.plan):
            place = locate(loaded.source, advice)
            say(str(replace(advice, place=f"{place}: advice")))
        say(visible(f"{path}: no problems found"))
    if faults:
        raise FaultError(*faults)
