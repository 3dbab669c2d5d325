"""Tables: a row for each sample, of which one column or several are to be predicted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.features import Feature
from cnnctl.data.normalization import Normalize
from cnnctl.data.parts import Known, StoredPart
from cnnctl.data.paths import DataPath
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import Positions
from cnnctl.data.tables.columns import Column
from cnnctl.data.tables.features import encode, width_of
from cnnctl.data.tables.inference import kind_of
from cnnctl.data.tables.reading import MAX_COLUMNS, Table, read_table
from cnnctl.data.targeted_set import TargetedSet
from cnnctl.errors import ExitCode, Fault, FaultError, config_fault, data_faults, gathered


class TableSet(TargetedSet, kind="table"):
    """A CSV, TSV or Parquet file: numbers, categories and dates, and a column to predict.

    What separates the cells (, ; tab or |) follows from the header. The kind of each column is
    written into the experiment, with statistics and values of the training split alone.
    """

    path: DataPath
    """The file, or an archive (.zip, .tar) that holds no other table, relative to this file."""
    columns: Annotated[dict[str, Column], Field(max_length=MAX_COLUMNS)] = Field(default={})
    """Kinds of columns, by name; those that are not given follow from their cells."""
    normalize: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each feature; the columns have their own already."""

    def whole(self) -> DatasetInfo:
        return self.describe_with((width_of(self.columns),))

    def features(self) -> Sequence[Feature]:
        named = (column.features(name) for name, column in self.columns.items())
        return [feature for features in named for feature in features]

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        table = read_table(Path(self.path))
        self.check_names(table, [(("columns", name), name) for name in self.columns])
        try:
            return self._settled(table, seed)
        except FaultError as error:
            if error.exit_code is not ExitCode.DATA:
                raise
            faults = list(error.every)
        with gathered(faults):  # the features are looked at even if the target is broken
            self._learned_columns(table, np.arange(len(table)))
        raise data_faults(list(dict.fromkeys(faults)))

    def _settled(self, table: Table, seed: int) -> Self:
        """This dataset with task, classes, columns and counts filled in."""
        known = self.with_task(table)
        known._check_features()
        parts = known.parts(table)
        train = parts["train"]
        rows = table.take(train.rows)
        known = known.learned(rows)
        main = next(iter(known.encoded_targets(rows).values()))
        held = known.validation_of(train, main, seed=seed)
        columns = known._learned_columns(table, np.delete(train.rows, held))
        counts = known.counted(parts, held)
        return known.model_copy(update={"samples": counts, "columns": columns})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        table = read_table(Path(self.path))
        if split == "test" and self._is_another(table):
            note = f"{self.path} is not the file of the run: all {len(table):,} rows are tested"
            print(f"note: {note}", file=sys.stderr)
            part = StoredPart(np.arange(len(table)), Known([None] * len(table)))
            self.check_complete(table)
        else:
            part = self.parts(table)[split]
        rows = table.take(part.rows)
        targets = self.encoded_targets(rows)
        return Samples(
            encode(self.columns, rows),
            targets.pop(next(iter(targets))),
            targets,
            validation=part.validation,
            groups=part.known.groups,
            identity=table.digest,
            called=rows.without_cells().where,
        )

    def inputs_hint(self) -> str:
        return "give a table with the columns of the training table"

    def input_names(self) -> Mapping[str, int]:
        return {name: column.width for name, column in self.columns.items() if column.width}

    def as_text(self, features: Tensor) -> list[str]:
        parts = torch.split(features, list(self.input_names().values()))
        used = (column for column in self.columns.values() if column.width)
        return [each.as_text(part.tolist()) for each, part in zip(used, parts, strict=True)]

    def encoded(self, table: Table) -> Tensor:
        return encode(self.columns, table)

    def _is_another(self, table: Table) -> bool:
        """Whether this is not the table of the run, and does not name splits itself."""
        known = {} if self.content == "auto" else self.content
        is_known = known.get("test", table.digest) == table.digest
        return self._is_located and not is_known and self.split not in table.columns

    def _check_features(self) -> None:
        """Raise a FaultError for a target among the features."""
        for columns in self.target_columns.values():
            for name in columns.all_columns:
                if name in self.columns:
                    message, hint = "the target is not a feature", "remove it here"
                    raise config_fault(message, hint=hint, path=("columns", name))

    def _learned_columns(self, table: Table, train: Positions) -> dict[str, Column]:
        """The kinds of all features, with what is learned from these rows."""
        special = self.special_columns - self.columns.keys()
        learned, faults = dict[str, Column](), list[Fault]()
        for name in (name for name in table.columns if name not in special):
            with gathered(faults):
                kind = self.columns.get(name) or kind_of(table.cells(name))
                learned[name] = kind.learned(table.cells(name).take(train))
        if faults:
            raise data_faults(faults)
        return learned
