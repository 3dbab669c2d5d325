"""`cnnctl eval`: measure a trained network."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, DataFolder, Plugins, command, display, print_json, say


class SplitOption(StrEnum):
    """The splits of a data set."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


@command("eval")
def evaluate(
    source: Annotated[
        Path,
        typer.Argument(
            help="Run folder or checkpoint.",
            show_default=False,
            autocompletion=completion.run,
        ),
    ],
    split: Annotated[
        SplitOption | None,
        typer.Option(
            help="Split to evaluate on (default: test; without one, validation, then train).",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Batch size (default: 1000, or less if memory is short).", min=1),
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Device: cpu, cuda, cuda:N or auto.", autocompletion=completion.device),
    ] = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a trained network: loss, accuracy and metrics of each class."""
    from cnnctl.data.download import data_root, used_folder
    from cnnctl.evaluation.evaluate import evaluate_checkpoint
    from cnnctl.evaluation.report import render
    from cnnctl.run_folder import find_checkpoint
    from cnnctl.sources import open_checkpoint
    from cnnctl.storage import is_folder

    path = find_checkpoint(source)
    loaded, checkpoint = open_checkpoint(path, plugin or ())
    if is_folder(source) and path.name == "last.safetensors":
        say(f"{source}: best.safetensors is missing; measuring last.safetensors", err=True)
    measured = evaluate_checkpoint(
        loaded,
        checkpoint,
        split=split.value if split else None,
        batch_size=batch_size,
        device=device,
        data_root=used_folder(loaded.experiment.data, data) or data_root(),
    )
    if as_json:
        facts = {"checkpoint": str(path), "epoch": checkpoint.epoch}
        print_json(facts | measured.to_json())
    else:
        why = (
            "; there is no test split"
            if split is None and measured.split != SplitOption.TEST
            else ""
        )
        say(f"{path.name}, epoch {checkpoint.epoch}: {measured.split} split{why}")
        display(render(measured.result))
