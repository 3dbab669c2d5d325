"""The files in shards, for whoever knows where they are; imports neither torch nor pydantic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.shards.naming import shard_of
from cnnctl.storage import read_part

MARK = "*.tar"
"""The last part of the path that processes open shards by."""


class StoredShards(FileTree):
    """Files in uncompressed .tar archives below a folder, which are read but not listed."""

    damage = ()

    def _listed(self) -> Iterator[Entry]:
        yield from ()

    def _content(self, entry: Entry) -> bytes:
        return read_in_shard(self.root, entry)


def read_in_shard(root: Path, entry: Entry) -> bytes:
    """The content of an entry, whose name begins with that of its shard below `root`.

    Raises:
        OSError: the shard cannot be read, or has changed.
    """
    file = root / shard_of(entry.name)
    return read_part(file, start=entry.start, size=entry.size, stamp=entry.stamp)
