"""`cnnctl bench`: how fast an experiment trains, and where its time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, DataFolder, Device, command, display, print_json, split_words
from cnnctl.errors import Fault, FaultError


@command("bench")
def bench(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="Experiment file or name, and options to override, such as train.compile=true.",
            metavar="CONFIG|PATH=VALUE",
            show_default=False,
            autocompletion=completion.override,
        ),
    ],
    batch_sizes: Annotated[
        str,
        typer.Option(
            help="Batch sizes to compare, such as 32,64,128 (default: that of the experiment).",
            metavar="N,N…",
            show_default=False,
        ),
    ] = "",
    seconds: Annotated[
        float,
        typer.Option(help="Time to measure each batch size, in rounds.", min=0.01, max=3600),
    ] = 5.0,
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of each round, instead of --seconds.", min=1, show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Also write JSON to this file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    data: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """Measure how fast an experiment trains, where its time goes, and what is possible."""
    from cnnctl import benchmarking
    from cnnctl.escaping import to_json
    from cnnctl.experiment import load
    from cnnctl.storage import write_atomically

    config, overrides = split_words(arguments, for_two="measure one at a time")
    if config is None:
        message, hint = "no config file given", "try cnnctl bench lenet"
        raise FaultError(Fault(message=message, hint=hint))
    request = benchmarking.Request(_sizes(batch_sizes), seconds, steps)
    if device != "auto":
        overrides.append(f"train.device={device}")
    loaded = load(Path(config), overrides, data_root=data)
    found = benchmarking.gather(loaded, request, folder=data)
    if output is not None:
        text = to_json(benchmarking.to_json(found))
        write_atomically(output, f"{text}\n".encode(), option="-o")
    if as_json:
        print_json(benchmarking.to_json(found))
    else:
        display(benchmarking.render(found))


def _sizes(text: str) -> list[int]:
    """`32,64` as numbers, each once."""
    words = [word.strip() for word in text.split(",")] if text else []
    if not all(word.isdecimal() and int(word) for word in words):
        message = f"--batch-sizes {text}: batch sizes are whole numbers, from 1"
        raise FaultError(Fault(message=message, hint="write --batch-sizes 32,64,128"))
    return list(dict.fromkeys(map(int, words)))
