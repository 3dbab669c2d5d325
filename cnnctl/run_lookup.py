"""Finds run folders by name, and the checkpoints in them."""

from __future__ import annotations

from pathlib import Path

from cnnctl.errors import checkpoint_fault
from cnnctl.paths import inside, is_file, is_folder, is_there
from cnnctl.storage import (
    contents,
    reading_cure,
)


def newest(runs: Path, name: str) -> Path:
    """The newest run folder of this name, which has the highest number.

    Raises:
        FaultError: there is none with a checkpoint (exit code 4).
    """
    found = list(filter(has_last, runs_named(runs, name)))
    if not found:
        hint = "train without --resume first, or give a run folder or checkpoint"
        raise checkpoint_fault("no run to resume", hint=hint, place=str(runs / name))
    return found[-1]


def runs_named(runs: Path, name: str) -> list[Path]:
    """The run folders of this name, the newest last.

    Raises:
        FaultError: the folder cannot be read.
    """
    numbers = {_number(path.name, name): path for path in contents(runs) if is_folder(path)}
    return [numbers[number] for number in sorted(numbers) if number]


def _number(folder: str, name: str) -> int:
    """The number of a run folder of this name; 0 for other folders."""
    if folder == name:
        return 1
    tail = folder.removeprefix(f"{name}-")
    return int(tail) if tail != folder and tail.isdecimal() else 0


def has_last(folder: Path) -> bool:
    """Whether a run can be resumed."""
    return is_file(folder / "checkpoints" / "last.safetensors")


def find_last(folder: Path) -> Path:
    """The checkpoint that a run is resumed from.

    Raises:
        FaultError: a link is in its place (exit code 4).
    """
    return _own_checkpoint(folder, "last")


def find_checkpoint(source: Path) -> Path:
    """The checkpoint at a path: the file itself, or the best (else last) one of a run folder.

    Raises:
        FaultError: there is none, or a link is in its place (exit code 4).
    """
    if not is_folder(source):
        return source
    for name in ("best", "last"):
        path = _own_checkpoint(source, name)
        if is_there(path):
            return path
    hint = "give a run folder, or a file in its checkpoints/"
    raise checkpoint_fault("has no checkpoints", hint=hint, place=str(source))


def _own_checkpoint(folder: Path, name: str) -> Path:
    try:
        return inside(folder, "checkpoints", f"{name}.safetensors")
    except OSError as error:
        reason, hint = f"cannot be read: {error.strerror}", reading_cure(error)
        raise checkpoint_fault(reason, hint=hint, place=str(folder)) from None


def folder_of(checkpoint: Path) -> Path | None:
    """The run folder that contains a checkpoint; None if it is not in one."""
    folder = checkpoint.parent.parent
    return folder if is_file(folder / "config.yaml") else None
