"""`cnnctl export`: write a network to a file that runs without cnnctl."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, DataFolder, Overrides, Plugins, Source, command, print_json, say

if TYPE_CHECKING:
    from cnnctl.export.exporting import Exported


class Quantize(StrEnum):
    """Smaller numbers to compute with."""

    INT8 = "int8"


@command("export")
def export(
    source: Source,
    file: Annotated[
        Path,
        typer.Argument(
            help="File to write; its suffix is the format (see `cnnctl list formats`).",
            metavar="FILE",
            show_default=False,
        ),
    ],
    overrides: Overrides = None,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Format, whatever the suffix.",
            metavar="NAME",
            autocompletion=completion.export_format,
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Export the network alone: preprocessed inputs in, its own outputs out.",
        ),
    ] = False,
    quantize: Annotated[
        Quantize | None,
        typer.Option(
            help="Compute in 8-bit integers, calibrated on training samples.", show_default=False
        ),
    ] = None,
    training: Annotated[
        bool, typer.Option("--training", help="Write a script that trains the network, too.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest difference from the network to accept (default: 1e-4); with --quantize, "
            "percentage points of accuracy to lose (default: 1).",
            min=0,
            show_default=False,
        ),
    ] = None,
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Write a network to a file that runs without cnnctl, checked against the original."""
    from cnnctl.device import memory_faults
    from cnnctl.export import exporting, fresh
    from cnnctl.export.format import Wishes
    from cnnctl.export.original import CPU, open_original

    wishes = Wishes(
        raw=raw,
        quantize=quantize.value if quantize else "",
        training=training,
        tolerance=tolerance,
    )
    chosen = exporting.chosen_format(file, format)
    exporting.check_wishes(chosen, wishes, file, force=force)
    original = open_original(source, overrides or (), plugins=plugin or (), data_root=data)
    with memory_faults(CPU):
        exported = exporting.export(original, file, chosen, wishes, run=fresh.run)
    if as_json:
        print_json(exported.to_json())
    else:
        say("\n".join(_lines(exported)))


def _lines(exported: Exported) -> list[str]:
    """The files, the check, its results and the notes."""
    checked = exported.checked
    found = f"{checked.difference:.2g}" if checked.difference else "0"
    lines = [
        *map(str, exported.files),
        f"checked in a process without cnnctl on {checked.inputs}: {checked.measure} {found}",
        *checked.results,
        *(f"note: {note}" for note in checked.notes),
    ]
    if not exported.is_trained:
        lines.append("note: untrained; these are initial weights")
    return lines
