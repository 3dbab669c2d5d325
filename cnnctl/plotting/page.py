"""A page with a slider over the epochs: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cnnctl.errors import config_fault
from cnnctl.escaping import visible
from cnnctl.storage import write_atomically

SUFFIXES = (".html", ".htm")
TEMPLATE = "frames.html"


def check_page(path: Path) -> None:
    """Check that a page can be written to this file, before there is one.

    Raises:
        FaultError: its suffix is none of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        message = f"cannot draw frames to {path.name}: unknown format"
        raise config_fault(message, hint="use a file name ending in .html")


def write_page(page: Mapping[str, Any], path: Path) -> None:
    """Write the page; all text is escaped, and nothing is loaded from elsewhere.

    Raises:
        FaultError: the file cannot be written (exit code 6).
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    text = environment.get_template(TEMPLATE).render(_printable(page))
    write_atomically(path, text.encode(), option="-o")


def _printable(data: Any) -> Any:
    """The same with control characters escaped, which HTML cannot have."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, Mapping):
        return {key: _printable(value) for key, value in data.items()}
    if isinstance(data, Sequence):
        return [_printable(value) for value in data]
    return data
