"""Datasets in files of one's own as code: tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from cnnctl.data.arrays.collection import Collection
from cnnctl.data.file_tree import FileTree
from cnnctl.data.records import Record
from cnnctl.data.series.table import SeriesTable
from cnnctl.data.sources.arrays import ArraySet
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.data.sources.image_table import ImageTable
from cnnctl.data.sources.signals import SignalSet
from cnnctl.data.sources.table import TableSet
from cnnctl.data.splits import Positions
from cnnctl.data.tables.reading import read_table
from cnnctl.export.training_source.arrays import arrays_source, series_source
from cnnctl.export.training_source.cutting import cut_source
from cnnctl.export.training_source.pictures import folder_source, picture_table_source
from cnnctl.export.training_source.reading import (
    Needs,
    reading_source,
    split_function,
)
from cnnctl.export.training_source.tables import table_source
from cnnctl.target import Target, likeliest


@reading_source.register
def _(data: TableSet, needs: Needs) -> str:
    path = Path(data.path)
    table = read_table(path)
    targets = {name: data.target_columns[name] for name in needs.targets}
    samples = table_source(path, table, data.columns, targets)
    parts = data.parts(table)
    main = targets[needs.targets[0]].encode(table)
    return samples + _cut_of_all(parts["test"].rows, main, targets[needs.targets[0]].described(""))


@reading_source.register(ArraySet)
@reading_source.register(SignalSet)
def _(data: ArraySet | SignalSet, needs: Needs) -> str:
    source = data.source()
    known = data.read_targets(source)
    targets = {name: data.target_columns[name] for name in needs.targets}
    path = Path(data.path)
    if isinstance(source, SeriesTable):
        assert isinstance(data, SignalSet)  # only these are in tables
        code = series_source(path, data, source, targets)
    else:
        assert isinstance(source, Collection)
        code = arrays_source(path, source, data.array_form(), targets)
    main = targets[needs.targets[0]]
    tested = data.parts(source, known)["test"].rows
    return code + _cut_of_all(tested, main.encode(known), main.described(""))


def _cut_of_all(test: Positions, main: Tensor, target: Target) -> str:
    """`read_split` of samples that `read_samples` returns all, whose main targets are `main`."""
    if not len(test):
        return f"\n\n{split_function('All samples are for training.', 'return read_samples()')}"
    cut = cut_source(
        test,
        count=len(main),
        classes=likeliest(main).numpy() if target.kind == "class" else None,
        outputs=target.outputs,
        seed=(0, "0"),
        name="TEST",
        targets="samples[1]",
    )
    code = split_function(
        "The features and the targets of a split.",
        "samples = read_samples()",
        f"is_test = {cut.code}",
        "return tuple(each[~is_test if train else is_test] for each in samples)",
    )
    return f"\n\n{cut.constant}\n\n\n{code}"


@reading_source.register
def _(data: ImageFolder, needs: Needs) -> str:
    tree = data.open_pictures()
    _, records = data.listed(tree)
    main = data.targets_of(records)[needs.targets[0]]
    return folder_source(data, records) + _cut_of_all(
        _tested(tree, records, needs), main, data.main_target
    )


@reading_source.register
def _(data: ImageTable, needs: Needs) -> str:
    tree = data.open_pictures()
    _, records = data.listed(tree)
    table, _ = data.read_tables()
    targets = {name: data.target_columns[name] for name in needs.targets}
    code = picture_table_source(data, table, records, targets, tree.root)
    main = data.targets_of(records)[needs.targets[0]]
    return code + _cut_of_all(_tested(tree, records, needs), main, data.main_target)


def _tested(tree: FileTree, records: Sequence[Record], needs: Needs) -> Positions:
    """Positions of the pictures for testing among all."""
    found = [at for at, each in enumerate(records) if needs.is_tested(tree.root / each.entry.name)]
    return np.array(found, dtype=np.int64)
