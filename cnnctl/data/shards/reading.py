"""What is in a shard: its samples, each a picture and a class, found without decoding any.

The layout is WebDataset's: files that have all before the first dot of their names in common are a
sample, and the rest tells what they are: `000123.jpg`, `000123.cls`.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.shards.headers import Member, is_below, members, size_of

MAX_LABEL = 2**20
"""Bytes of a file with a class."""
MAX_FILES = 1_000_000
"""In a shard."""
JSON_KEYS = ("label", "cls", "class")
"""Where a class may be in a JSON file."""


class DamagedShardError(Exception):
    """A shard that cannot be used; its text says why."""


@dataclass(frozen=True, slots=True)
class ShardSample:
    """A picture in a shard, and its class."""

    name: str
    """The file of the picture in the shard."""
    offset: int
    """Where the picture begins, in bytes."""
    size: int
    """Of the picture, in bytes."""
    label: str
    """A class, by its name or its number."""


def samples_in(file: Path, *, label: str) -> list[ShardSample]:
    """The samples of a shard, in its order.

    label: the suffix of files with the class, such as `cls`; one that ends in `json` has it under
        one of JSON_KEYS.

    Raises:
        OSError: it cannot be read.
        DamagedShardError: it is cut short, or not an archive of such samples.
    """
    found: dict[str, _Parts] = {}
    with file.open("rb") as raw:
        for member in _members(raw):
            key, suffix = key_and_suffix(member.name)
            if suffix != label and not is_picture(member.name):
                continue
            parts = found.setdefault(key, _Parts())
            parts.add(member, raw, is_label=suffix == label)
    if not found:
        raise DamagedShardError(f"has neither pictures nor files .{label}")
    return [parts.sample(key, label) for key, parts in found.items()]


def key_and_suffix(name: str) -> tuple[str, str]:
    """What the files of a sample have in common, and what this one is, in lower case."""
    folder, slash, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return f"{folder}{slash}{stem}", suffix.lower()


class _Parts:
    """The files of a sample."""

    def __init__(self) -> None:
        self.picture: Member | None = None
        self.label: bytes | None = None

    def add(self, member: Member, raw: IO[bytes], *, is_label: bool) -> None:
        if (self.label if is_label else self.picture) is not None:
            what = "classes" if is_label else "pictures"
            raise DamagedShardError(f"has two {what} of one sample, the second in {member.name}")
        if not is_label:
            self.picture = member
            return
        if member.size > MAX_LABEL:
            raise DamagedShardError(f"has {member.size:,} bytes for a class, in {member.name}")
        raw.seek(member.offset)
        self.label = raw.read(member.size)

    def sample(self, key: str, label: str) -> ShardSample:
        if self.picture is None or self.label is None:
            missing = "picture" if self.picture is None else f"file .{label}"
            raise DamagedShardError(f"has no {missing} of the sample {key}")
        named = label_in(self.label, label)
        if not named:
            raise DamagedShardError(f"has no class in {key}.{label}")
        return ShardSample(self.picture.name, self.picture.offset, self.picture.size, named)


def label_in(content: bytes, suffix: str) -> str:
    """The class that a file holds, by its name or its number; empty if it holds none."""
    try:
        text = content.decode()
        if not suffix.endswith("json"):
            return text.strip()
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if isinstance(value, dict):
        value = next((value[key] for key in JSON_KEYS if key in value), None)
    is_class = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value).strip() if is_class else ""


def _members(raw: IO[bytes]) -> Iterator[Member]:
    """The regular files of a shard whose names lead nowhere else.

    Raises:
        OSError, DamagedShardError: as for `samples_in`.
    """
    size = size_of(raw)
    try:
        for count, member in enumerate(members(raw)):
            if count == MAX_FILES:
                raise DamagedShardError(f"has more than {MAX_FILES:,} files")
            if member.offset + member.size > size:
                raise DamagedShardError(f"is cut short within {member.name}")
            if is_below(member.name):
                yield member
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise DamagedShardError(f"is cut short or damaged: {error}") from None
