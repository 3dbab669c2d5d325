"""Pictures that a table names, with what it says of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.file_tree import FileTree
from cnnctl.data.files import open_tree, remembered_tree
from cnnctl.data.paths import DataPath
from cnnctl.data.picture_set import PictureSet
from cnnctl.data.pictures.reading import read_picture
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.data.records import GivenSplit, Record, TableRow, rows_of, table_of
from cnnctl.data.samples import DatasetInfo
from cnnctl.data.split_tables import SplitTables
from cnnctl.data.tables.files import is_archive
from cnnctl.data.tables.pictures import (
    PictureFiles,
    check_header,
    column_of_pictures,
    entries_of,
)
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.data.tables.targets import ColumnName, Strata
from cnnctl.data.targeted_set import TargetedSet
from cnnctl.errors import Fault, config_fault, data_fault, data_faults, gathered
from cnnctl.paths import is_file, is_folder
from cnnctl.target import Target

CURE = "check data.images, or data.path if it is the table's folder"


class ImageTable(PictureSet, TargetedSet, kind="image_table"):
    """A CSV, TSV or Parquet file with a row for each picture: its path, and columns to predict.

    Pictures may be JPEG, PNG, BMP, GIF, TIFF and WebP. Those in no row are not used. They are
    decoded once, turned upright by their EXIF data, and kept in a cache ($CNNCTL_CACHE, or
    ~/.cache/cnnctl).
    """

    path: DataPath
    """The table, relative to this file."""
    images: DataPath | None = None
    """Folder or archive (.zip, .tar) that the paths in the table are relative to (default: the
    table's folder, or the archive that holds it). Names of files alone are found in any of its
    folders."""
    column: ColumnName = "auto"
    """Column of the paths; `auto` is the one that names pictures."""
    suffix: Annotated[str, Field(max_length=20)] = ""
    """What to add to the paths, such as .jpg; paths without their suffix are found where only one
    picture may be meant."""

    tables: SplitTables | None = None
    """Tables of the other splits, such as {validation: val.csv, test: test.csv}; that in `path` is
    then for training."""

    @model_validator(mode="after")
    def _has_tables_or_rules(self) -> Self:
        rules = ("split", "time", "splits")
        given = [name for name in rules if getattr(self, name)]
        given += ["test"] if self.test != "auto" else []
        if self.tables and given:
            raise refusal(f"tables and {given[0]} cannot be combined", hint="use one of them")
        return self

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        given = [name for name in ("split", "time") if getattr(self, name)]
        for other, is_used in (("splits", bool(self.splits)), ("group_copies", self.group_copies)):
            if is_used and given and (other == "splits" or self.time):
                message = f"{given[0]} and {other} cannot be combined"
                raise refusal(message, hint="use one of them")
        return self

    def whole(self) -> DatasetInfo:
        return self.describe_with(self.picture_form().shape)

    @property
    def main_target(self) -> Target:
        return self.described_targets()[0]

    def located(self, folder: Path | None) -> Self:
        located = super().located(folder)
        if folder is not None and self.tables:
            tables = self.tables.moved(Path(self.path), to=Path(located.path))
            located = located.model_copy(update={"tables": tables})
        if folder is None or self.images is None:
            return located
        images = str(self._images_of(Path(located.path)).absolute())
        return located.model_copy(update={"images": images})

    def open_pictures(self) -> FileTree:
        return remembered_tree(self._images_of(Path(self.path)), cure=CURE)

    def listed(self, tree: FileTree) -> tuple[Self, list[Record]]:
        table, splits = self.read_tables()
        files = PictureFiles(tree, suffix=self.suffix)
        known = self if self.samples else self._looked_at(table, files)
        cells, faults = replace(table.cells(known.column), cure=""), list[Fault]()
        with gathered(faults):
            entries = entries_of(cells, files, may_lack=self.on_error == "skip")
        with gathered(faults):
            known.check_complete(table)
        if faults:
            raise data_faults(faults)
        given = splits or known.given_in(table)
        groups, times = known.groups_in(table), known.times_in(table)
        special = known.special_columns & table.columns.keys()
        few = replace(table, columns={name: table.columns[name] for name in special})
        return known, [
            Record(
                entry,
                split=given[at],
                group=groups[at] if groups else "",
                time=times[at] if times else None,
                row=TableRow(few, at),
            )
            for at, entry in enumerate(entries)
        ]

    def read_tables(self) -> tuple[Table, Sequence[GivenSplit]]:
        """The rows of all tables, and the split of each; none for a single table.

        Raises:
            FaultError: a table cannot be read, or lacks a column that another has.
        """
        table = read_table(Path(self.path))
        if not self.tables:
            return table, []
        named = {self.column} - {"auto"}
        return self.tables.read_after(table, needed=self.special_columns | named)

    def strata_of(self, records: Sequence[Record]) -> Strata:
        return self.strata(rows_of(records))

    def learned_from(self, train: Sequence[Record]) -> Self:
        return self.learned(rows_of(train))

    def targets_of(self, records: Sequence[Record]) -> dict[str, Tensor]:
        return self.encoded_targets(rows_of(records))

    def is_another(self, records: Sequence[Record]) -> bool:
        known = {} if self.content == "auto" else self.content
        digest = table_of(records).digest
        is_known = known.get("test", digest).startswith(digest)
        if is_known or not self._is_located or self.split or self.splits or self.tables:
            return False
        note = f"{self.path} is not the table of the run: all {len(records):,} pictures are tested"
        print(f"note: {note}", file=sys.stderr)
        return True

    def identity_of(self, records: Sequence[Record], pictures: str) -> str:
        return f"{table_of(records).digest} {pictures}"

    def readers(self, table: Table) -> Iterator[tuple[str, Callable[[], Tensor]]]:
        tree = open_tree(self._images_of(Path(table.place)), cure=CURE)
        files, form = PictureFiles(tree, suffix=self.suffix), self.picture_form()
        cells = table.cells(self.column)
        for path in cells.values:
            yield path, partial(_read, tree, files, form, path)

    def _looked_at(self, table: Table, files: PictureFiles) -> Self:
        """With the task and the column of the paths filled in."""
        check_header(table, files)
        more = [] if self.column == "auto" else [(("column",), self.column)]
        self.check_names(table, more)
        known = self.with_task(table)
        special = known.special_columns
        if self.column in special:
            message = f"column {show(self.column)} is a target, or decides the splits"
            raise config_fault(message, hint="name the column of the paths", path=("column",))
        if self.column == "auto":
            column = column_of_pictures(table, files, beside=special)
            known = known.model_copy(update={"column": column})
        return known

    def _images_of(self, table: Path) -> Path:
        """The folder or archive of the pictures in a table: where it is beside that of the run."""
        if self.images is None:
            return table if is_archive(table) else table.parent
        own = Path(self.images)
        beside = table.parent / os.path.relpath(own, Path(self.path).parent)
        return beside if is_folder(beside) or is_file(beside) else own


def _read(tree: FileTree, files: PictureFiles, form: PictureForm, path: str) -> Tensor:
    """The picture that a path in a table means.

    Raises:
        FaultError: it is not there, is broken, or may be one of several.
    """
    found = files.find(path)
    if len(found.entries) != 1:
        message, hint = files.fault_of(path, found, suggest=True)
        raise data_fault(message, hint=hint, place=path)
    return read_picture(tree, found.entries[0], form)
