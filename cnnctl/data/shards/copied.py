"""Shards from elsewhere as files here, copied when they are needed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from weakref import finalize

from cnnctl.data.cache_folder import COPIES, cache_disk, cache_folder
from cnnctl.data.residence import DISK_SHARE
from cnnctl.data.shards.elsewhere import Elsewhere, Version
from cnnctl.data.shards.index import indexed
from cnnctl.data.shards.reading import DamagedShardError, ShardSample, samples_in
from cnnctl.data.shards.source import ShardSource
from cnnctl.storage import storing

ASKED, COPIED = 8, 4
"""Shards whose versions are asked for at once, and that are copied at once to be listed."""


class Copies(ShardSource):
    """Copies of shards: all of them, if they take no more than half of the disk, or the last ones.

    All are kept in the cache for the next run; otherwise they are in a folder of this process.
    """

    readers = COPIED

    def __init__(self, source: Elsewhere, names: Sequence[str]) -> None:
        """Copies of the shards with these names, none of which is made yet.

        Raises:
            FaultError: there is no place for them.
        """
        self.source, self.names, self.damaged = source, names, {}
        self.versions = self._asked(names)
        self._room = cache_disk() // DISK_SHARE
        self.are_all_kept = sum(each.size or 0 for each in self.versions.values()) <= self._room
        self.folder = self._made_folder()
        self._held, self._used, self._lock = Counter[str](), dict[str, int](), Lock()
        self._copying = {name: Lock() for name in names}

    def _asked(self, names: Sequence[str]) -> dict[str, Version]:
        def ask(name: str) -> Version | None:
            try:
                return self.source.version(name)
            except DamagedShardError as error:
                self.damaged[name] = str(error)
                return None

        with ThreadPoolExecutor(ASKED) as pool:
            found = zip(names, pool.map(ask, names), strict=True)
        return {name: version for name, version in found if version}

    def _made_folder(self) -> Path:
        with storing(Path("the cache"), option="CNNCTL_CACHE"):
            cache = cache_folder()
            if self.are_all_kept:
                address = sha256(self.source.address.encode()).hexdigest()[:32]
                (cache / f"{COPIES}{address}").mkdir(exist_ok=True)
                os.utime(cache / f"{COPIES}{address}")  # it is in use
                return cache / f"{COPIES}{address}"
            folder = TemporaryDirectory(prefix=f".{COPIES}", dir=cache, ignore_cleanup_errors=True)
            finalize(self, folder.cleanup)
            return Path(folder.name)

    def place(self, name: str) -> str:
        return self.source.place(name)

    def stamp(self, shard: str) -> int:
        return self.versions[shard].stamp(self.source.place(shard))

    @contextmanager
    def held(self, shards: Sequence[str]) -> Iterator[None]:
        with self._not_deleting(shards):
            for shard in shards:
                try:
                    self._copy(shard)
                except DamagedShardError as error:
                    raise DamagedShardError(f"{self.place(shard)} {error}") from None
            yield
        self._make_room(0)  # many may have been held at once

    @contextmanager
    def _not_deleting(self, shards: Sequence[str]) -> Iterator[None]:
        with self._lock:
            self._held.update(shards)
        try:
            yield
        finally:
            with self._lock:
                self._held.subtract(shards)

    def _copy(self, shard: str) -> None:
        with self._copying[shard]:
            self._copy_now(shard, self.folder / shard, self.stamp(shard))

    def _copy_now(self, shard: str, file: Path, stamp: int) -> None:
        with suppress(OSError):
            if file.stat().st_mtime_ns == stamp:
                self._use(shard)
                return
        version = self.versions[shard]
        self._make_room(version.size or 0)
        file.parent.mkdir(parents=True, exist_ok=True)
        self.source.fetch(shard, file, version)
        os.utime(file, ns=(stamp, stamp))
        self._use(shard)

    def _use(self, shard: str) -> None:
        with self._lock:
            self._used.pop(shard, None)
            self._used[shard] = self.versions[shard].size or 0  # now the last in use

    def _make_room(self, size: int) -> None:
        """Delete the copies that have not been used for longest, if they would take too much."""
        if self.are_all_kept:
            return
        with self._lock:
            idle = [name for name in self._used if not self._held[name]]
            taken = sum(self._used.values()) + size
            for name in idle:
                if taken <= self._room:
                    break
                taken -= self._used.pop(name)
                (self.folder / name).unlink(missing_ok=True)

    def samples_in(self, shard: str, *, label: str) -> list[ShardSample]:
        def find() -> list[ShardSample]:
            with self._not_deleting([shard]):
                self._copy(shard)
                return samples_in(self.folder / shard, label=label)

        version = f"{self.source.place(shard)} {self.stamp(shard)}"
        return indexed(version, label=label, find=find)
