"""How a graph is checked: with rows of cells for a table, and by its quality if in integers."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables.features import encode
from cnnctl.data.tables.reading import Table
from cnnctl.export.checking import RANDOM, TOLERANCE, answers, largest_difference
from cnnctl.export.format import Checked, Format, Run, Wishes
from cnnctl.export.onnx.comparison import Comparison
from cnnctl.export.onnx.rows import random_rows, real_rows, tensors_of
from cnnctl.export.original import REAL, Original

POINTS = 1.0
"""Percentage points of accuracy that int8 may cost."""


def compared_rows(
    format: Format, original: Original, data: TableSet, wishes: Wishes, file: Path, run: Run
) -> Checked:
    """Compare a graph that takes columns with its original, for random and real rows."""
    tables = {"random": random_rows(data.columns, RANDOM, seed=original.experiment.seed)}
    real = real_rows(data, REAL, place=original.data_root)
    if real is not None:
        tables["real"] = real
    parts = {
        f"{name}-{number}": part
        for name, table in tables.items()
        for number, part in enumerate(_in_two(table))
        if len(part)
    }
    expected = {
        name: answers(original, encode(data.columns, part), raw=False)
        for name, part in parts.items()
    }
    batches: dict[str, Tensor] = {
        f"{name}/{number}": column
        for name, part in parts.items()
        for number, column in enumerate(tensors_of(data.columns, part))
    }
    count, sizes = len(real or ()), sorted({len(part) for part in parts.values()})
    kinds = f"{RANDOM} random{f' and {count} real' if count else ''} rows"
    return Checked(
        largest_difference(expected, run(format, file, batches)),
        TOLERANCE if wishes.tolerance is None else wishes.tolerance,
        f"{kinds}, in batches of {' and '.join(map(str, sizes))}",
        figures={"random": RANDOM, "real": count, "batch_sizes": sizes},
        notes=() if count else ("checked with random rows only, since the table cannot be read",),
    )


def _in_two(table: Table) -> tuple[Table, Table]:
    """The first row, and the others."""
    import numpy as np

    rows = np.arange(len(table))
    return table.take(rows[:1]), table.take(rows[1:])


def judged(comparison: Comparison, ran: Checked, *, most: float | None) -> Checked:
    """Judge an integer graph by its loss of quality; `ran` is how far its answers are away."""
    before, after = comparison.before, comparison.after
    measured = f"{comparison.samples:,} samples of the {comparison.split} split"
    figures = {
        "largest_difference": ran.difference,
        "split": comparison.split,
        "samples": comparison.samples,
        "before": before.to_json(),
        "after": after.to_json(),
    }
    return Checked(
        comparison.points_lost,
        POINTS if most is None else most,
        f"{ran.inputs}, and measured on {measured}",
        measure="loss in percentage points",
        figures=figures,
        results=tuple(comparison.lines()),
        notes=ran.notes,
    )
