"""Shards on other machines, copied here whole: over HTTP, or from S3, through fsspec."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from cnnctl.data.shards.naming import is_name
from cnnctl.data.shards.reading import DamagedShardError
from cnnctl.extras import require
from cnnctl.storage import replacing

ADDRESSES = {"http": "aiohttp", "https": "aiohttp", "s3": "s3fs"}
"""The package, besides fsspec, that reads addresses of each scheme."""
ATTEMPTS = 4
FIRST_PAUSE = 0.5
"""Seconds before the second attempt; each further pause is twice as long."""
CONNECT_SECONDS, READ_SECONDS = 15, 60
"""How long to wait for a connection, and for the next bytes."""
MAX_SHARD = 2**36
"""Bytes of a shard: 64 GiB."""
PART = 2**20
NOT_FOUND = 404
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Version:
    """What is known of a shard before it is read."""

    size: int | None
    """In bytes, if the server says so."""
    mark: str
    """Changes whenever the content does, if the server gives one."""

    def stamp(self, address: str) -> int:
        """A time of modification for the copy, in nanoseconds, which tells versions apart."""
        digest = sha256(f"{address} {self.size} {self.mark}".encode()).digest()
        return int.from_bytes(digest[:5], "little") * 10**6


class Elsewhere:
    """Files below an address."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._scheme = address.partition("://")[0]
        for package in ("fsspec", ADDRESSES[self._scheme]):
            require(package, what=f"Shards at {self._scheme}:// need", otherwise="copy them here")

    def names(self) -> list[str]:
        """The names of all shards below the address.

        Raises:
            DamagedShardError: it cannot be listed.
        """
        found = _tried(lambda: self._files.find(self.address))
        above = self.address.partition("://")[2]
        names = (str(each).partition("://")[2] or str(each) for each in found)
        return sorted(filter(is_name, (name[len(above) + 1 :] for name in names)))

    def version(self, name: str) -> Version:
        """What the server says of a shard.

        Raises:
            DamagedShardError: it cannot be reached.
        """
        known = _tried(lambda: self._files.info(self.place(name)))
        marks = (str(known[key]) for key in ("ETag", "LastModified", "Digest") if known.get(key))
        size = known.get("size")
        return Version(None if size is None else int(size), next(marks, ""))

    def fetch(self, name: str, file: Path, version: Version) -> None:
        """Copy a shard to a file, whole or not at all.

        Raises:
            DamagedShardError: it cannot be reached, is too large or is cut short.
            FaultError: the file cannot be written.
        """
        if (version.size or 0) > MAX_SHARD:
            raise DamagedShardError(f"has {version.size:,} bytes, more than {MAX_SHARD:,}")
        with replacing(file, option="CNNCTL_CACHE") as target:
            _tried(lambda: self._copy(name, target, version))

    def _copy(self, name: str, target: Any, version: Version) -> None:
        target.seek(0)
        target.truncate()
        options = {} if self._scheme == "s3" else {"block_size": 0}  # which reads to the end
        with self._files.open(self.place(name), "rb", **options) as source:
            while part := source.read(PART):
                target.write(part)
                if target.tell() > MAX_SHARD:
                    raise DamagedShardError(f"has more than {MAX_SHARD:,} bytes")
        if version.size not in (None, target.tell()):
            raise ConnectionError(f"{target.tell():,} of {version.size:,} bytes")

    def place(self, name: str) -> str:
        """The address of a shard."""
        return f"{self.address}/{name}"

    @cached_property
    def _files(self) -> Any:
        import fsspec

        if self._scheme == "s3":
            waits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
            return fsspec.filesystem("s3", config_kwargs=waits)
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
        return fsspec.filesystem(self._scheme, client_kwargs={"timeout": timeout})


def is_address(path: str) -> bool:
    """Whether a path leads to another machine."""
    scheme, mark, _ = path.partition("://")
    return bool(mark) and scheme in ADDRESSES


def _tried(work: Callable[[], Result]) -> Result:
    """What this returns, tried several times.

    Raises:
        DamagedShardError: all attempts failed, or it says so itself.
    """
    pause, reason = FIRST_PAUSE, ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause)
            pause *= 2
        try:
            return work()
        except DamagedShardError:
            raise
        except FileNotFoundError as error:
            # which fsspec makes of every error that it meets while it asks for a size
            cause = error.__cause__ or error
            if isinstance(cause, FileNotFoundError) or getattr(cause, "status", 0) == NOT_FOUND:
                raise DamagedShardError("no such shard") from None
            reason = str(cause) or type(cause).__name__
        except Exception as error:  # whatever the libraries of a protocol raise
            reason = str(error) or type(error).__name__
    with suppress(ValueError):
        reason = reason.splitlines()[0][:200]
    raise DamagedShardError(f"cannot be reached, after {ATTEMPTS} attempts: {reason}")
