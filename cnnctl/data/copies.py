"""Files with equal content, which belong in one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.records import Record
from cnnctl.errors import FaultError, data_fault


def copies_among(tree: FileTree, entries: Sequence[Entry], *, limit: int) -> dict[str, str]:
    """For each file that has the content of another, the name of the first of them.

    Only files whose size others have are read, if they have at most `limit` bytes; those that
    cannot be read are taken for different ones.
    """
    sizes = Counter(entry.size for entry in entries)
    alike = [entry for entry in entries if sizes[entry.size] > 1 and entry.size <= limit]
    digests = dict[str, bytes]()
    for entry in sorted(alike, key=tree.offset):
        try:
            digests[entry.name] = sha256(tree.read(entry, limit=limit)).digest()
        except FaultError:  # reported by decoding
            continue
    counts, first = Counter(digests.values()), dict[bytes, str]()
    for name in sorted(digests):
        first.setdefault(digests[name], name)
    return {name: first[digest] for name, digest in digests.items() if counts[digest] > 1}


def kept_together(records: Sequence[Record], copies: Mapping[str, str]) -> list[Record]:
    """The records in groups that keep equal files together as well as the groups they have.

    Groups that share a file's content become one. Without copies, nothing is changed.

    Raises:
        FaultError: all files are copies of one, so that no cut would keep them together.
    """
    if not copies:
        return list(records)
    originals = {copies.get(record.entry.name, record.entry.name) for record in records}
    if len(originals) == 1 < len(records):
        message = f"all {len(records):,} files have the same content"
        raise data_fault(message, hint="training needs different ones")
    groups = _Groups()
    for record in records:
        name = record.entry.name
        groups.join(f"file {name}", f"file {copies.get(name, name)}")
        if record.group:
            groups.join(f"file {name}", f"group {record.group}")
    return [replace(record, group=groups.of(f"file {record.entry.name}")) for record in records]


class _Groups:
    """Disjoint sets of names."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The name that stands for its set."""
        above = self._above.get(name, name)
        while above != name:
            grandparent = self._above.get(above, above)
            self._above[name] = grandparent  # which keeps the way short
            name, above = above, grandparent
        return name

    def join(self, name: str, other: str) -> None:
        """Make one set of the sets of two names."""
        one, two = self.of(name), self.of(other)
        if one != two:
            self._above[max(one, two)] = min(one, two)
