"""`cnnctl eval`: measure a trained network."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, DataFolder, Plugins, command, display, print_json, say


class SplitOption(StrEnum):
    """The splits of a dataset."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


@command("eval")
def evaluate(
    source: Annotated[
        Path,
        typer.Argument(
            help="Run folder or checkpoint.",
            metavar="RUN",
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
        typer.Option(help="Batch size (default: 8 to 256, smaller for larger networks).", min=1),
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Device: cpu, cuda, cuda:N or auto.", autocompletion=completion.device),
    ] = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a trained network: loss, accuracy and per-class metrics."""
    from cnnctl.data.download import used_folder
    from cnnctl.evaluation.evaluate import evaluate as measure
    from cnnctl.evaluation.report import render
    from cnnctl.run_folder import find_checkpoint
    from cnnctl.storage import is_folder
    from cnnctl.trained import open_trained

    path = find_checkpoint(source)
    trained = open_trained(path, device=device, plugins=plugin or ())
    if is_folder(source) and path.name == "last.safetensors":
        say(f"{source}: best.safetensors is missing; evaluating last.safetensors", err=True)
    measured = measure(
        trained,
        split=split.value if split else None,
        batch_size=batch_size,
        data_root=used_folder(trained.experiment.data, data),
    )
    if as_json:
        facts = {"checkpoint": str(path), "epoch": trained.epoch}
        print_json(facts | measured.to_json())
    else:
        why = " (no test split)" if split is None and measured.split != SplitOption.TEST else ""
        say(f"{path.name}, epoch {trained.epoch}: {measured.split} split{why}")
        display(render(measured.result))
