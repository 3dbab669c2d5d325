"""Where shards are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cnnctl.data.files import GIVE_IT, Folder
from cnnctl.data.shards.index import indexed
from cnnctl.data.shards.naming import SUFFIX
from cnnctl.data.shards.reading import ShardSample, samples_in
from cnnctl.errors import data_fault
from cnnctl.paths import is_folder


class ShardSource(ABC):
    """Shards, and the folder in which they are read."""

    folder: Path
    names: Sequence[str]
    """All shards, by their names below the folder."""
    damaged: dict[str, str]
    """Why some of them cannot be used, as far as that is known."""
    are_all_kept: bool = True
    """Whether there is room for all of them at once."""
    readers: int = 1
    """How many calls of `samples_in` at once are quicker than one after another."""

    @abstractmethod
    def place(self, name: str) -> str:
        """How messages name a shard, or a file in one."""

    @abstractmethod
    def stamp(self, shard: str) -> int:
        """The time of modification of a shard in the folder, in nanoseconds.

        Raises:
            OSError: it cannot be read.
        """

    @abstractmethod
    def samples_in(self, shard: str, *, label: str) -> list[ShardSample]:
        """The samples of a shard, as noted or found; see `reading`.

        Raises:
            OSError, DamagedShardError: it cannot be read, or is damaged.
        """

    @abstractmethod
    @contextmanager
    def held(self, shards: Sequence[str]) -> Iterator[None]:
        """Have these shards in the folder until the block ends.

        Raises:
            DamagedShardError: one cannot be had; its text names it.
        """
        yield


class FolderOfShards(ShardSource):
    """Shards on this machine. No link leads out of the folder: such a shard counts as missing."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """The shards with these names below a folder, or all there.

        Raises:
            FaultError: there is no such folder.
        """
        if not is_folder(folder):
            raise data_fault("no such folder", hint=GIVE_IT, place=str(folder))
        files = Folder(folder)
        there = {entry.name for entry in files.entries if entry.name.endswith(SUFFIX)}
        reasons = {each.name: each.reason for each in files.left_out}
        self.folder, self.names = folder, names or sorted(there)
        missing = [name for name in self.names if name not in there]
        self.damaged = {name: reasons.get(name, "no such shard") for name in missing}

    def place(self, name: str) -> str:
        return str(self.folder / name)

    def stamp(self, shard: str) -> int:
        return (self.folder / shard).stat().st_mtime_ns

    def samples_in(self, shard: str, *, label: str) -> list[ShardSample]:
        file = self.folder / shard
        version = f"{file} {file.stat().st_size} {self.stamp(shard)}"
        return indexed(version, label=label, find=lambda: samples_in(file, label=label))

    @contextmanager
    def held(self, shards: Sequence[str]) -> Iterator[None]:
        yield
