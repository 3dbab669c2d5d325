"""The snapshots in a run folder: where they are, and of which epochs."""

from __future__ import annotations

import re
from pathlib import Path

from cnnctl.errors import checkpoint_fault
from cnnctl.paths import inside
from cnnctl.storage import contents, reading_cure

SNAPSHOTS = "snapshots"
"""The name of their folder."""
_NAME = re.compile(r"epoch-([0-9]{6,9})\.safetensors")


def snapshot_name(epoch: int) -> str:
    """The file name of the snapshot after so many epochs."""
    return f"epoch-{epoch:06}.safetensors"


def snapshots_of(run: Path) -> dict[int, Path]:
    """The snapshots in a run folder, by their epochs, in order; links are none.

    Raises:
        FaultError: their folder is a link (exit code 4), or cannot be read (6).
    """
    try:
        folder = inside(run, SNAPSHOTS)
    except OSError as error:
        reason, hint = f"cannot be read: {error.strerror}", reading_cure(error)
        raise checkpoint_fault(reason, hint=hint, place=str(run)) from None
    names = ((_NAME.fullmatch(path.name), path) for path in contents(folder))
    found = {int(match[1]): path for match, path in names if match and not path.is_symlink()}
    return dict(sorted(found.items()))
