"""The samples of shards, listed: their pictures as files that are read in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.files import GIVE_IT, Folder
from cnnctl.data.shards.index import samples_of
from cnnctl.data.shards.naming import SUFFIX
from cnnctl.data.shards.reading import DamagedShardError
from cnnctl.data.shards.stored import MARK, read_in_shard
from cnnctl.errors import data_fault
from cnnctl.paths import is_folder


@dataclass(frozen=True, slots=True)
class LabelledEntry:
    """A picture and its class."""

    entry: Entry
    label: str


class Shards(FileTree):
    """The pictures in shards; the name of each begins with that of its shard."""

    damage = ()

    def __init__(
        self, root: Path, names: Sequence[str], *, label: str, damaged: dict[str, str]
    ) -> None:
        super().__init__(root)
        self.names = names
        """All shards, by their names below the root."""
        self.damaged = damaged
        """Why some of them are not used, once the entries have been listed."""
        self.samples: list[LabelledEntry] = []
        """All samples, in the order of the entries, once these have been listed."""
        self._label = label

    @property
    def opened_as(self) -> Path:
        return self.root / MARK

    def _listed(self) -> Iterator[Entry]:
        for name in self.names:
            if name not in self.damaged:
                self._list(name)
        self.samples.sort(key=lambda sample: sample.entry.name)
        for sample in self.samples:
            yield sample.entry

    def _list(self, shard: str) -> None:
        file = self.root / shard
        try:
            found, stamp = samples_of(file, label=self._label), file.stat().st_mtime_ns
        except DamagedShardError as error:
            self.damaged[shard] = str(error)
        except OSError as error:
            self.damaged[shard] = f"cannot be read: {error.strerror or error}"
        else:
            for each in found:
                entry = Entry(f"{shard}/{each.name}", each.size, stamp, each.offset)
                self.samples.append(LabelledEntry(entry, each.label))

    def _content(self, entry: Entry) -> bytes:
        return read_in_shard(self.root, entry)


def open_shards(
    root: Path, names: Sequence[str], *, label: str, skipped: Collection[str]
) -> Shards:
    """The shards with these names below a folder, or all there, without those that are skipped.

    No link leads out of the folder: a shard that is one counts as missing.

    Raises:
        FaultError: there is no such folder, or no shard in it.
    """
    if not is_folder(root):
        raise data_fault("no such folder", hint=GIVE_IT, place=str(root))
    folder = Folder(root)
    there = {entry.name for entry in folder.entries if entry.name.endswith(SUFFIX)}
    reasons = {each.name: each.reason for each in folder.left_out}
    wanted = [name for name in names or sorted(there) if name not in skipped]
    if not wanted:
        message, hint = "has no shards", "give a folder of .tar files, or a pattern of their names"
        raise data_fault(message, hint=hint, place=str(root))
    missing = {name: reasons.get(name, "no such shard") for name in wanted if name not in there}
    return Shards(root, wanted, label=label, damaged=missing)
