"""`cnnctl preview`: draw what the network will see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import DataFolder, SplitOption, command, say, split_words
from cnnctl.errors import Fault, FaultError
from cnnctl.shipped import is_shipped


@command("preview")
def preview(
    arguments: Annotated[
        list[str],
        typer.Argument(
            help="Experiment file or name, and options to override, such as data.batch_size=32.",
            metavar="CONFIG|PATH=VALUE",
            show_default=False,
            autocompletion=completion.override,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="PNG file to write (default: NAME-preview.png).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Samples to draw.", min=1, max=100)] = 8,
    split: Annotated[SplitOption, typer.Option(help="Split to draw.")] = SplitOption.TRAIN,
    data: DataFolder = None,
) -> None:
    """Draw samples before and after augmentation, and the learning rate schedule."""
    from cnnctl.data.download import used_folder
    from cnnctl.experiment import load
    from cnnctl.preview.gather import gather
    from cnnctl.preview.report import report
    from cnnctl.preview.sheet import draw
    from cnnctl.sources import is_checkpoint
    from cnnctl.storage import write_atomically

    named, overrides = split_words(arguments, for_two="preview one at a time")
    if named is None:
        raise FaultError(Fault(message="no config file given", hint="try cnnctl preview lenet"))
    config = Path(named)
    if is_checkpoint(config) and not is_shipped(config):
        message, hint = "is not an experiment file", "give the YAML file, or a run's config.yaml"
        raise FaultError(Fault(message=message, hint=hint, place=named))
    if output is not None and output.suffix.lower() != ".png":
        message = f"cannot draw to {output.name}: unknown format"
        raise FaultError(Fault(message=message, hint="use a file name ending in .png"))
    loaded = load(config, overrides, data_root=data)
    data = used_folder(loaded.experiment.data, data)
    shown = gather(loaded, samples=samples, split=split.value, data_root=data)
    path = output or Path(f"{shown.name}-preview.png")
    write_atomically(path, draw(shown), option="-o")
    say("\n".join([str(path), *report(shown)]))
