"""The names of shards: a folder of them, or a pattern as WebDataset writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from cnnctl.config.wording import show
from cnnctl.errors import FaultError, config_fault

SUFFIX = ".tar"
MAX_SHARDS = 100_000
MAX_PATTERN = 4096
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,18})\.\.(\d{1,18})")


def root_and_names(path: str) -> tuple[str, list[str]]:
    """The folder or address that shards are below, and their names there.

    `train-{000..099}.tar` stands for a hundred names, `{train,val}-{0..9}.tar` for twenty; a path
    without a name that ends in .tar is that of the folder, and has none.

    Raises:
        FaultError: the pattern is not one, or stands for too many names.
    """
    if not path.endswith(SUFFIX):
        return path, []
    above = path.partition("{")[0].rpartition("/")[0]
    names = list(_expanded(path[len(above) :].lstrip("/")))
    for name in names:
        if not is_name(name):
            message = f"{show(path)} stands for {show(name)}, which is no name of a shard"
            raise config_fault(message, hint="names end in .tar", path=("path",))
    return above or ".", names


def is_name(name: str) -> bool:
    """Whether this is the name of a shard that stays below its folder."""
    return name.endswith(SUFFIX) and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))


def shard_of(name: str) -> str:
    """The shard that a file is in, by the name of its entry: `a/0.tar` of `a/0.tar/cat.jpg`."""
    return name.partition(f"{SUFFIX}/")[0] + SUFFIX


def _expanded(pattern: str) -> Iterator[str]:
    names = [pattern]
    if len(pattern) > MAX_PATTERN:
        raise _fault(pattern[:80], "is too long")
    while any(map(_BRACES.search, names)):
        expanded = (each for name in names for each in _expanded_once(name, pattern))
        names = list(islice(expanded, MAX_SHARDS + 1))
        if len(names) > MAX_SHARDS:
            raise _fault(pattern, f"stands for more than {MAX_SHARDS:,} shards")
    if any(set("{}") & set(name) for name in names):
        raise _fault(pattern, "has a brace without its other")
    yield from dict.fromkeys(names)


def _expanded_once(name: str, pattern: str) -> Iterator[str]:
    """The names that the first innermost braces stand for."""
    found = _BRACES.search(name)
    if not found:
        yield name
        return
    for choice in _choices(found[1], pattern):
        yield name[: found.start()] + choice + name[found.end() :]


def _choices(inside: str, pattern: str) -> list[str]:
    bounds = _RANGE.fullmatch(inside)
    if not bounds:
        return inside.split(",")
    first, last = int(bounds[1]), int(bounds[2])
    if not first <= last < first + MAX_SHARDS:
        raise _fault(pattern, f"has the range {inside}, which is empty or too long")
    return [f"{number:0{len(bounds[1])}}" for number in range(first, last + 1)]


def _fault(pattern: str, what: str) -> FaultError:
    hint = "write shards as in train-{000..099}.tar"
    return config_fault(f"{show(pattern)} {what}", hint=hint, path=("path",))
