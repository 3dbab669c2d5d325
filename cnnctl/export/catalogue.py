"""The formats as facts and as a table, for `cnnctl list formats`."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from cnnctl.errors import config_fault, nearest
from cnnctl.export.format import Format
from cnnctl.export.formats import FORMATS


def describe_formats(name: str = "") -> list[dict[str, Any]]:
    """Every format, or that of this name: its suffix, description, options and packages.

    Raises:
        FaultError: there is none of this name.
    """
    if name and name not in FORMATS:
        raise config_fault(f"no format is named {name}", hint=nearest(name, [*FORMATS]))
    return [_described(each) for each in FORMATS.values() if name in ("", each.name)]


def _described(format: Format) -> dict[str, Any]:
    return {
        "format": format.name,
        "suffix": format.suffix,
        "about": format.about,
        "options": sorted(format.options),
        "packages": [*format.packages],
    }


def render_formats(name: str = "") -> Table:
    """The same as a table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("format", "suffix", "options", "description"):
        table.add_column(column)
    for facts in describe_formats(name):
        options = ", ".join(f"--{option}" for option in facts["options"])
        table.add_row(Text(facts["format"], "bold"), facts["suffix"], options, facts["about"])
    return table
