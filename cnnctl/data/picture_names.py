"""The names that lists and tables have for pictures, and the files that they mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import PurePosixPath
from posixpath import splitext

from cnnctl.errors import closest

MAX_BLANKS = 20
"""Blanks of a line at which its path may end."""
COMPARED = 10_000
"""Names that are compared for a suggestion."""
_BLANKS = re.compile(r"\s+")


class PictureNames:
    """The names of pictures, and the shorter ones that others have for them.

    Those may leave out the suffix, and the folders that all pictures are in.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.all = names
        self._exact = {name: [at] for at, name in enumerate(names)}
        self._stems: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            self._stems.setdefault(splitext(name)[0], []).append(at)
        self._folders = _folders_of_all(names)

    def find(self, path: str) -> list[int]:
        """The positions of the pictures that a path may mean."""
        path = path.replace("\\", "/").removeprefix("./")
        for known in (self._exact, self._stems):
            for folder in self._folders:
                if found := known.get(folder + path):
                    return found
        return []

    def find_in(self, line: str) -> list[int]:
        """The positions of the pictures that a line may mean, which begins with a path."""
        ends = [blank.start() for blank in islice(_BLANKS.finditer(line), MAX_BLANKS)]
        for end in (len(line), *reversed(ends)):
            if found := self.find(line[:end]):
                return found
        return []

    def similar(self, name: str) -> list[str]:
        """Names that are close to one that is not known."""
        folder, _, _ = name.rpartition("/")
        below = {f"{each}{folder}".rstrip("/") for each in self._folders}
        there = (known for known in self.all if known.rpartition("/")[0] in below)
        whole = len(splitext(name)[1]) > 1
        shown = [known if whole else splitext(known)[0] for known in islice(there, COMPARED)]
        return closest(name, shown)


def _folders_of_all(names: Sequence[str]) -> list[str]:
    """The folders that all of these are in, the outermost first, each with a / at its end."""
    shared, folders = PurePosixPath(names[0]).parent.parts if names else (), [""]
    for depth in range(len(shared)):
        folder = "/".join(shared[: depth + 1]) + "/"
        if not all(name.startswith(folder) for name in names):
            break
        folders.append(folder)
    return folders
