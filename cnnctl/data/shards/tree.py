"""The samples of shards, listed: their pictures as files that are read in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
        self._damaged = {name: source.damaged[name] for name in names if name in source.damaged}
        self.samples: list[LabelledEntry] = []
        """All samples, in the order of the entries, once these have been listed."""

    @property
    def opened_as(self) -> Path:
        return self.root / MARK

    def damaged(self) -> dict[str, str]:
        """Why some of the shards are not used, by their names; lists all others."""
        self.entries  # noqa: B018  (which finds them)
        return self._damaged

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
        for name in self.names:
            if name not in self._damaged:
                self._list(name)
        self.samples.sort(key=lambda sample: sample.entry.name)
        for sample in self.samples:
            yield sample.entry

    def _list(self, shard: str) -> None:
        try:
            found = self.source.samples_in(shard, label=self._label)
            stamp = self.source.stamp(shard)
        except DamagedShardError as error:
            self._damaged[shard] = str(error)
        except OSError as error:
            self._damaged[shard] = f"cannot be read: {error.strerror or error}"
        else:
            for each in found:
                entry = Entry(f"{shard}/{each.name}", each.size, stamp, each.offset)
                self.samples.append(LabelledEntry(entry, each.label))

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
