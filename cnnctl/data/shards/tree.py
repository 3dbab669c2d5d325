"""The samples of shards, listed: their pictures as files that are read in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.shards.copied import Copies
from cnnctl.data.shards.elsewhere import Elsewhere, is_address
from cnnctl.data.shards.naming import root_and_names, shard_of
from cnnctl.data.shards.reading import DamagedShardError
from cnnctl.data.shards.source import FolderOfShards, ShardSource
from cnnctl.data.shards.stored import MARK, read_in_shard
from cnnctl.errors import data_fault


@dataclass(frozen=True, slots=True)
class LabelledEntry:
    """A picture and its class."""

    entry: Entry
    label: str


class Shards(FileTree):
    """The pictures in shards; the name of each begins with that of its shard."""

    damage = ()

    def __init__(self, source: ShardSource, names: Sequence[str], *, label: str) -> None:
        super().__init__(source.folder)
        self.source, self.names, self._label = source, names, label

    @property
    def samples(self) -> list[LabelledEntry]:
        """All samples, in the order of the entries."""
        return self._found[0]

    @property
    def opened_as(self) -> Path:
        return self.root / MARK

    def damaged(self) -> dict[str, str]:
        """Why some of the shards are not used, by their names; lists all others."""
        return self._found[1]

    def place(self, name: str) -> str:
        return self.source.place(name)

    @contextmanager
    def at_hand(self, entries: Sequence[Entry]) -> Iterator[None]:
        shards = list(dict.fromkeys(shard_of(entry.name) for entry in entries))
        with ExitStack() as stack:
            try:
                stack.enter_context(self.source.held(shards))
            except DamagedShardError as error:
                hint = "check the network; a run can be resumed"
                raise data_fault(str(error), hint=hint) from None
            yield

    def _listed(self) -> Iterator[Entry]:
        for sample in self.samples:
            yield sample.entry

    @cached_property
    def _found(self) -> tuple[list[LabelledEntry], dict[str, str]]:
        """The samples of all shards, and why some shards are not used."""
        known = self.source.damaged
        damaged = {name: known[name] for name in self.names if name in known}
        samples: list[LabelledEntry] = []
        wanted = [name for name in self.names if name not in damaged]
        with ThreadPoolExecutor(self.source.readers) as pool:
            for name, found in zip(wanted, pool.map(self._samples_or_damage, wanted), strict=True):
                if isinstance(found, str):
                    damaged[name] = found
                else:
                    samples += found
        return sorted(samples, key=lambda sample: sample.entry.name), damaged

    def _samples_or_damage(self, shard: str) -> list[LabelledEntry] | str:
        """The samples of a shard, or why it is not used."""
        try:
            return self._samples_in(shard)
        except DamagedShardError as error:
            return str(error)
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"

    def _samples_in(self, shard: str) -> list[LabelledEntry]:
        found = self.source.samples_in(shard, label=self._label)
        stamp = self.source.stamp(shard)
        entries = (Entry(f"{shard}/{each.name}", each.size, stamp, each.offset) for each in found)
        return [LabelledEntry(e, each.label) for e, each in zip(entries, found, strict=True)]

    def _content(self, entry: Entry) -> bytes:
        with self.at_hand([entry]):
            return read_in_shard(self.root, entry)


def open_shards(path: str, *, label: str, skipped: Collection[str]) -> Shards:
    """The shards of a folder, an address or a pattern, without those that are skipped.

    Raises:
        FaultError: there is no such folder, no shard in it, or no package that reads the address.
    """
    root, names = root_and_names(path)
    source: ShardSource
    if is_address(root):
        elsewhere = Elsewhere(root)
        source = Copies(elsewhere, names or elsewhere.names())
    else:
        source = FolderOfShards(Path(root), names)
    wanted = [name for name in source.names if name not in skipped]
    if not wanted:
        message, hint = "has no shards", "give a folder of .tar files, or a pattern of their names"
        raise data_fault(message, hint=hint, place=root)
    return Shards(source, wanted, label=label)
