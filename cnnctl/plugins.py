"""Plugins: Python files that an experiment lists explicitly.

A plugin declares kinds (a layer, an optimizer, …) as cnnctl's own files do. A checkpoint, which may
come from anyone, never loads one by itself.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from cnnctl.errors import Fault, FaultError, config_fault, under
from cnnctl.storage import read_regular, reading_cure

MAX_BYTES = 1 << 24
"""Limit on the size of a plugin; more than any handwritten file."""

_loaded: dict[Path, FaultError | None] = {}
"""The files that have been run, and the errors of those that failed."""


def load_plugins(paths: Iterable[Path]) -> None:
    """Run these files, each once per process.

    Raises:
        FaultError: files that do not exist, or raise.
    """
    faults: list[Fault] = []
    for index, path in enumerate(paths):
        error = _load(path)
        if error is not None:
            faults += under(("plugins", index), error).faults
    if faults:
        raise FaultError(*faults)


def _load(path: Path) -> FaultError | None:
    if path.suffix != ".py":
        return config_fault(f"no Python file at {path}", hint="check the path")
    try:
        read_regular(path, limit=MAX_BYTES)
    except OSError as error:
        message = f"no Python file at {path}: {error.strerror}"
        return config_fault(message, hint=reading_cure(error))
    path = path.resolve()
    if path not in _loaded:
        _loaded[path] = _run(path)
    return _loaded[path]


def _run(path: Path) -> FaultError | None:
    # the number distinguishes files of the same name
    name = f"cnnctl_plugin_{len(_loaded)}_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec and spec.loader  # as every .py file has
    # pydantic looks up a class's module to resolve its annotations
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # any exception of the user's code
        reason = " ".join(str(error).split())
        message = f"{path.name} failed{_line(error, path)}: {type(error).__name__}: {reason}"
        return config_fault(message, hint=f"run `python {path}` for the full error")
    return None


def _line(error: BaseException, path: Path) -> str:
    """The line of the plugin that led to an error, if known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" at line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f" at line {lines[-1]}" if lines else ""
