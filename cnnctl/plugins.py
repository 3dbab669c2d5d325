"""The one way to add Python: files that an experiment names on purpose.

A plugin declares kinds (a layer, an optimizer, …) the way cnnctl's own files do. A checkpoint never
loads one by itself: it may come from anyone.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from cnnctl.errors import Fault, FaultError, config_fault

_loaded: set[Path] = set()


def load_plugins(paths: Iterable[Path]) -> None:
    """Run these files, each once in a process.

    Raises:
        FaultError: the files that are not there, or that raise.
    """
    faults: list[Fault] = []
    for index, path in enumerate(paths):
        try:
            _load(path.resolve(), at=("plugins", index))
        except FaultError as error:
            faults += error.faults
    if faults:
        raise FaultError(*faults)


def _load(path: Path, *, at: tuple[str | int, ...]) -> None:
    if path in _loaded:
        return
    name = f"cnnctl_plugin_{path.stem}"
    spec = spec_from_file_location(name, path) if path.suffix == ".py" else None
    if not path.is_file() or spec is None or spec.loader is None:
        raise config_fault(f"no Python file at {path}", cure="check the path", path=at)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's own code raises
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        message = f"{path.name} failed at line {line}: {type(error).__name__}: {error}"
        raise config_fault(message, cure=f"run `python {path}` to see more", path=at) from error
    _loaded.add(path)
