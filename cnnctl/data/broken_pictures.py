"""The faults of pictures that cannot be decoded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from cnnctl.data.file_tree import FileTree
from cnnctl.data.records import Record
from cnnctl.errors import Fault, FaultError, data_fault, data_faults


def faults_of_broken(
    tree: FileTree,
    records: Sequence[Record],
    broken: Mapping[int, str],
    *,
    most: int | None,
    place: str,
) -> FaultError:
    """A fault for each of these pictures, and one that counts them.

    broken: why a picture cannot be decoded, by its position in `records`.
    most: how many may be skipped; None if none is to be.
    place: the source, for the count.
    """
    hint = "repair or delete them, or set data.on_error=skip"
    if most is not None:
        hint = f"at most {most:,} may be skipped; repair or delete them, or raise max_skipped"
    faults = [
        Fault(message=reason, hint="repair or delete it", place=tree.place(records[at].entry.name))
        for at, reason in sorted(broken.items())
    ]
    message = f"{len(broken):,} of {len(records):,} pictures cannot be decoded"
    return data_faults(faults, last=Fault(message=message, hint=hint, place=place))


def note_skipped(names: Sequence[str], *, most: int, place: str) -> None:
    """Say on stderr how many pictures are skipped.

    Raises:
        FaultError: they are more than `most`.
    """
    if len(names) > most:
        message = f"{len(names):,} pictures to skip, more than the limit of {most:,}"
        raise data_fault(message, hint="repair or delete them", place=place)
    if names:
        count = "1 picture" if len(names) == 1 else f"{len(names):,} pictures"
        print(f"note: skipped {count}; data.skipped lists them", file=sys.stderr)
