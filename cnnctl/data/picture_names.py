"""The names that lists and tables have for pictures, and the files that they mean."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
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

    def find_file(self, name: str) -> list[int]:
        """The positions of the pictures of this name, in any folder."""
        return self._files[0].get(name, []) or self._files[1].get(name, [])

    def find_in(self, line: str) -> list[int]:
        """The positions of the pictures that a line may mean, which begins with a path."""
        ends = [blank.start() for blank in islice(_BLANKS.finditer(line), MAX_BLANKS)]
        for end in (len(line), *reversed(ends)):
            if found := self.find(line[:end]):
                return found
        return []

    def similar(self, name: str) -> list[str]:
        """Names close to one that is not known, among those in its folder or of the same file."""
        outer = self._folders[-1] if name.startswith(self._folders[-1]) else ""
        stem, suffix = splitext(name.removeprefix(outer))
        folder, _, file = stem.rpartition("/")
        alike = dict.fromkeys([*self._neighbours[f"{folder}/"], *self._neighbours[file]][:COMPARED])
        names = [self.all[at].removeprefix(self._folders[-1]) for at in alike]
        shown = names if suffix else [splitext(known)[0] for known in names]
        return [outer + known for known in closest(stem + suffix, shown)]

    @cached_property
    def _files(self) -> Sequence[Mapping[str, list[int]]]:
        """Positions by the name of the file, and by that without its suffix."""
        whole, stems = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
        for at, name in enumerate(self.all):
            file = name.rpartition("/")[2]
            whole[file].append(at)
            stems[splitext(file)[0]].append(at)
        return whole, stems

    @cached_property
    def _neighbours(self) -> Mapping[str, Sequence[int]]:
        """Positions by folder, with a / at its end, and by file, without its suffix."""
        found, outer = defaultdict[str, list[int]](list), len(self._folders[-1])
        for at, name in enumerate(self.all):
            folder, _, file = splitext(name[outer:])[0].rpartition("/")
            found[f"{folder}/"].append(at)
            found[file].append(at)
        return found


def _folders_of_all(names: Sequence[str]) -> list[str]:
    """The folders that all of these are in, the outermost first, each with a / at its end."""
    shared, folders = PurePosixPath(names[0]).parent.parts if names else (), [""]
    for depth in range(len(shared)):
        folder = "/".join(shared[: depth + 1]) + "/"
        if not all(name.startswith(folder) for name in names):
            break
        folders.append(folder)
    return folders
