"""Splits that lists of files give, as those of Food-101 do."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cnnctl.config.choice import Spec
from cnnctl.config.wording import show
from cnnctl.data.file_tree import FileTree
from cnnctl.data.paths import DataPath
from cnnctl.data.picture_names import PictureNames
from cnnctl.data.records import GivenSplit, Record
from cnnctl.data.texts import line_fault, read_content, text_of
from cnnctl.errors import (
    MOST_FAULTS,
    SHOWN,
    Fault,
    FaultError,
    config_fault,
    data_fault,
    data_faults,
    did_you_mean,
)

MAX_BYTES = 2**28
MAX_LINE = 10_000
"""Characters."""


class SplitLists(Spec):
    """Files that list the pictures of each split: a path a line, with or without its suffix.

    Paths are relative to the data, or to the folder in it that holds all pictures. Blank lines and
    lines that begin with # are skipped, and so is what follows a path and a blank, such as a label.
    Pictures in no list are not used.
    """

    train: DataPath
    """List of the training pictures, relative to this file."""
    validation: DataPath | None = None
    """List of the validation pictures (default: a share of the training pictures)."""
    test: DataPath | None = None
    """List of the test pictures (default: there is no test split)."""

    def divide(self, tree: FileTree, records: Sequence[Record]) -> list[Record]:
        """The records that are listed, each with its split; the others are left out of the tree.

        Raises:
            FaultError: the records have splits; or a list cannot be read, names nothing, or what
                is not there, twice or in another list.
        """
        if any(record.split for record in records):
            message = "the folders of the data give its splits already"
            raise config_fault(message, hint="leave splits out", path=("splits",))
        marks = _Marks([record.entry.name for record in records], str(tree.root))
        for split, path in self._lists():
            marks.read(path, split)
        if marks.faults:
            raise data_faults(marks.faults)
        for at, record in enumerate(records):
            if at not in marks.splits:
                tree.leave_out(record.entry.name, "is in none of the lists of data.splits")
        return [
            replace(record, split=marks.splits[at])
            for at, record in enumerate(records)
            if at in marks.splits
        ]

    def _lists(self) -> Iterator[tuple[GivenSplit, Path]]:
        lists: dict[GivenSplit, str | None] = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
        }
        yield from ((split, Path(path)) for split, path in lists.items() if path)


class _Marks:
    """The splits of pictures, by position, and what is wrong with their lists."""

    def __init__(self, names: Sequence[str], root: str) -> None:
        self.splits: dict[int, GivenSplit] = {}
        self.faults: list[Fault] = []
        self._names = PictureNames(names)
        self._places: dict[int, tuple[Path, int]] = {}
        self._root = root

    def read(self, path: Path, split: GivenSplit) -> None:
        """Mark the pictures of a list."""
        content = read_content(path, limit=MAX_BYTES, missing=f"check data.splits.{split}")
        before = len(self._places) + len(self.faults)
        for line, text in _lines(text_of(content, str(path)), str(path)):
            if len(self.faults) == MOST_FAULTS:
                return
            try:
                at = self._position(text, path, line)
            except FaultError as error:
                self.faults += error.faults
                continue
            self._places[at], self.splits[at] = (path, line), split
        if len(self._places) + len(self.faults) == before:
            raise data_fault("names no pictures", hint="add some, or leave it out", place=str(path))

    def _position(self, text: str, path: Path, line: int) -> int:
        found = self._names.find_in(text)
        if not found:
            name = text.split(maxsplit=1)[0]
            few = len(self.faults) < SHOWN
            close = did_you_mean(self._names.similar(name)) if few else ""
            hint = close or f"paths are relative to {self._root}"
            raise line_fault(str(path), line, f"no such picture: {show(name)}", hint=hint)
        if len(found) > 1:
            names = [self._names.all[at] for at in found[:2]]
            message = f"{show(names[0])} or {show(names[1])} may be meant"
            raise line_fault(str(path), line, message, hint="write the suffix, too")
        [at] = found
        if at in self._places:
            other, first = self._places[at]
            where = f"line {first}" if other == path else f"{other}:{first}"
            message = f"{show(self._names.all[at])} is in {where}, too"
            raise line_fault(str(path), line, message, hint="remove one of them")
        return at


def _lines(text: str, place: str) -> Iterator[tuple[int, str]]:
    """The lines that name something, and their numbers."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if len(line) > MAX_LINE:
            message = f"a line of {len(line):,} characters; the limit is {MAX_LINE:,}"
            raise line_fault(place, number, message, hint="write one path per line")
        if (name := line.strip()) and not name.startswith("#"):
            yield number, name
