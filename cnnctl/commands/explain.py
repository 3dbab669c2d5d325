"""`cnnctl explain`: show what a network looks at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.commands import (
    AnySplit,
    AsJson,
    DataFolder,
    Device,
    Plugins,
    Source,
    command,
    display,
    print_json,
    say,
)
from cnnctl.errors import Fault, FaultError
from cnnctl.paths import is_there

if TYPE_CHECKING:
    from cnnctl.drawing.naming import Naming
    from cnnctl.explanation.explanation import Explanation

_FILES = Path(__file__).parents[1] / "explanation" / "methods"
METHODS = tuple(sorted(file.stem.replace("_", "-") for file in _FILES.glob("[a-z]*.py")))
"""The names of the methods, which would take too long to import for the help."""


def _complete_method(incomplete: str) -> list[str]:
    return [name for name in METHODS if name.startswith(incomplete)]


@command("explain")
def explain(
    source: Source,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files to explain (pictures, folders, tables, arrays); options to override.",
            metavar="INPUT|PATH=VALUE",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join(METHODS)} (default: grad-cam for networks with convolutions, "
            "otherwise integrated-gradients).",
            autocompletion=_complete_method,
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        str | None,
        typer.Option(
            help="Samples of the split, counted from 0, such as 3,17 (default: the first four).",
            metavar="NUMBERS",
            show_default=False,
        ),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(help="Explain the most confident mistakes on the split.", min=1, max=100),
    ] = None,
    split: AnySplit = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Class or label to explain; of values, its number from 1 (default: the predicted "
            "class).",
            metavar="CLASS",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="Head to explain (default: the first).", show_default=False)
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="Layer that the method looks at.", metavar="NAME", show_default=False),
    ] = None,
    unit: Annotated[
        int | None,
        typer.Option(help="Channel of the layer, counted from 0.", min=0, show_default=False),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(
            help="Attack of adversarial: fgsm or pgd (default: fgsm).", show_default=False
        ),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="Strength of the attack, in pixels from 0 to 1 (default: the smallest that flips "
            "the class).",
            min=0,
            max=1000,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="PNG file to write (default: NAME-METHOD.png).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    npz: Annotated[
        Path | None,
        typer.Option(
            help="Write inputs, maps and probabilities to this .npz file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Show what a network looks at: maps of its inputs, filters, features and neighbours."""
    from cnnctl.device import memory_faults
    from cnnctl.drawing.naming import Naming
    from cnnctl.explanation.asking import Asked, explained
    from cnnctl.explanation.report import as_npz, to_json
    from cnnctl.explanation.sheet import draw
    from cnnctl.storage import write_atomically
    from cnnctl.subject import open_subject

    _check_suffix(output, ".png")
    _check_suffix(npz, ".npz")
    overrides, files = _divided(words or ())
    asked = Asked(
        method=method,
        files=tuple(files),
        samples=samples,
        worst=worst,
        split=split.value if split else None,
        target=target,
        head=head,
        layer=layer,
        unit=unit,
        attack=attack,
        epsilon=epsilon,
    )
    subject = open_subject(source, overrides, device=device, plugins=plugin or (), data_root=data)
    with memory_faults(subject.trained.device):
        explanation = explained(subject, asked)
    naming = Naming()
    path = output or Path(f"{subject.experiment.name}-{explanation.method}.png")
    write_atomically(path, draw(explanation, naming), option="-o")
    if npz is not None:
        write_atomically(npz, as_npz(explanation), option="--npz")
    if as_json:
        print_json({"sheet": str(path), **to_json(explanation)})
        return
    say("\n".join([str(path), *([str(npz)] if npz else []), *explanation.notes]))
    if not subject.is_trained:
        say("note: these are initial weights; give a run to see what it learnt")
    _show(explanation, naming)


def _show(explanation: Explanation, naming: Naming) -> None:
    """Print the facts of the samples, and the class names that the sheet abbreviates."""
    from cnnctl.explanation.report import as_table

    display(as_table(explanation))
    if naming.legend:
        say(f"class names that the sheet's font lacks: {naming.described()}")


def _divided(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides and the files; a file may have a `=` in its name."""
    overrides = [word for word in words if "=" in word and not is_there(Path(word))]
    return overrides, [word for word in words if word not in overrides]


def _check_suffix(path: Path | None, suffix: str) -> None:
    if path is not None and path.suffix.lower() != suffix:
        message = f"cannot write to {path.name}: unknown format"
        raise FaultError(Fault(message=message, hint=f"use a file name ending in {suffix}"))
