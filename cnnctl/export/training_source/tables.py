"""Tables as code: the rows of a CSV file, encoded with the numbers of the training split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch
from pathlib import Path

from cnnctl.data.tables.cell_targets import bits_of
from cnnctl.data.tables.columns import Category, Column, Date, Number
from cnnctl.data.tables.reading import Table, delimiter_of
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns, ValueColumns
from cnnctl.data.texts import text_of
from cnnctl.errors import below, config_fault
from cnnctl.export.training_source.layout import call, literal

HINT = "leave out --training, or save the table as a CSV file"
ENCODERS = {
    "number": '''
def number(cells: list[str], *, mean: float, std: float, missing: bool) -> np.ndarray:
    """A column of numbers, standardised; where they are missing, the mean."""
    values = np.array([np.nan if c.lower() in MISSING else float(c) for c in cells])
    known = np.isfinite(values)
    standard = np.where(known, (values - mean) / std, 0)
    return np.stack([standard, ~known] if missing else [standard], axis=1)
''',
    "category": '''
def category(cells: list[str], values: list[str]) -> np.ndarray:
    """A feature for each value, and one for all others."""
    return np.array([[c == v for v in values] + [c not in values] for c in cells])
''',
    "date": '''
def date(cells: list[str], *, mean: float, std: float, missing: bool) -> np.ndarray:
    """Dates as standardised days since 1970; month and weekday as places on circles."""
    known = np.array([c.lower() not in MISSING for c in cells])
    moments = [datetime.fromisoformat(c) if k else EPOCH for c, k in zip(cells, known)]
    moments = [m.astimezone(UTC) if m.tzinfo else m.replace(tzinfo=UTC) for m in moments]
    days = np.array([(m - EPOCH).total_seconds() / 86_400 for m in moments])
    places = np.array([((m.month - 1) / 12, m.weekday() / 7) for m in moments])
    turns = 2 * np.pi * places
    circles = np.stack([np.sin(turns), np.cos(turns)], axis=2).reshape(-1, 4)
    standard = np.stack([(days - mean) / std], axis=1)
    features = np.concatenate([standard, circles], axis=1) * known[:, None]
    return np.concatenate([features, ~known[:, None]], axis=1) if missing else features
''',
}
IMPORTS = """
import csv
from datetime import UTC, datetime

import numpy as np
import torch
from torch import Tensor

"""


def table_source(
    path: Path, table: Table, columns: Mapping[str, Column], targets: Mapping[str, TargetColumns]
) -> str:
    """`read_samples()`, which returns the features of all rows and their targets.

    Raises:
        FaultError: the table is no plain file of text, or a column is of a plugin's kind.
    """
    used = {name: column for name, column in columns.items() if column.width}
    lines = [*row_lines(path), "columns = ["]
    for name, column in used.items():
        with below("columns", name):
            encoded = _encoding(column, f"[row[{literal(name)}] for row in rows]")
        lines.append(f"    {encoded},")
    lines.append("]")
    lines.append("features = torch.from_numpy(np.concatenate(columns, axis=1)).float()")
    names = [f"target{number}" if number else "target" for number in range(len(targets))]
    for name, kind in zip(names, targets.values(), strict=True):
        lines += target_lines(kind, table, name)
    lines.append(f"return {', '.join(['features', *names])}")
    kinds = dict.fromkeys(column.kind for column in used.values())
    helpers = "\n\n".join(code for kind, code in ENCODERS.items() if kind in kinds)
    constants = []
    if {"number", "date"} & kinds.keys():
        constants.append('MISSING = ("", "na", "nan", "null")')
    if "date" in kinds:
        constants.append("EPOCH = datetime(1970, 1, 1, tzinfo=UTC)")
    body = "\n".join(f"    {line}" for line in lines)
    head = "\n".join(constants)
    function = f'''
def read_samples() -> tuple[Tensor, ...]:
    """The features of all rows of the table, and their targets."""
{body}
'''
    return f"{IMPORTS}{head}\n\n{helpers}\n\n{function}"


def row_lines(path: Path) -> Iterator[str]:
    """Lines that read the rows, as mappings of names to cells."""
    if path.suffix.lower() not in (".csv", ".tsv", ".tab", ".txt"):
        message = f"a training script cannot read {path.name}"
        raise config_fault(message, hint=HINT, path=("path",))
    is_of_tabs = path.suffix.lower() in (".tsv", ".tab")
    sign = "\t" if is_of_tabs else delimiter_of(text_of(path.read_bytes(), str(path)))
    reader = "csv.DictReader(file)" if sign == "," else f"csv.DictReader(file, delimiter={sign!r})"
    yield 'with DATA.open(newline="", encoding="utf-8-sig") as file:'
    yield f"    rows = list({reader.replace(chr(39), chr(34))})"
    yield "rows = [{name.strip(): cell.strip() for name, cell in row.items()} for row in rows]"


@singledispatch
def _encoding(column: Column, cells: str) -> str:
    """The call that encodes cells."""
    message = f"a training script lacks columns of kind {column.kind}"
    raise config_fault(message, hint="leave out --training")


@_encoding.register(Number)
@_encoding.register(Date)
def _(column: Number | Date, cells: str) -> str:
    numbers = {"mean": column.mean, "std": column.std}
    return call(column.kind, cells, **numbers, missing=bool(column.missing))


@_encoding.register
def _(column: Category, cells: str) -> str:
    return call("category", cells, literal(column.values))


@singledispatch
def target_lines(kind: TargetColumns, table: Table, name: str) -> list[str]:
    """Lines that assign the targets of all `rows` to a variable of this name."""
    message = f"a training script lacks targets of kind {kind.kind}"
    raise config_fault(message, hint="leave out --training")


@target_lines.register
def _(kind: ClassColumn, table: Table, name: str) -> list[str]:
    return [
        f"classes = {literal(list(kind.classes))}",
        f"{name} = torch.tensor([classes.index(row[{literal(kind.column)}]) for row in rows])",
    ]


@target_lines.register
def _(kind: ValueColumns, table: Table, name: str) -> list[str]:
    row = ", ".join(f"float(row[{literal(column)}])" for column in kind.columns)
    return [f"{name} = torch.tensor([[{row}] for row in rows])"]


@target_lines.register
def _(kind: LabelColumns, table: Table, name: str) -> list[str]:
    if not kind.columns:
        separated = f"row[{literal(kind.column)}].split({literal(kind.separator)})"
        return [
            f"labels = {literal(list(kind.classes))}",
            f"found = [[label.strip() for label in {separated}] for row in rows]",
            f"{name} = torch.tensor([[float(each in own) for each in labels] for own in found])",
        ]
    yes = _words(table, kind.columns)
    columns = literal(list(kind.columns))
    inner = f"[float(row[name].lower() in yes) for name in {columns}]"
    return [f"yes = {literal(yes)}", f"{name} = torch.tensor([{inner} for row in rows])"]


def _words(table: Table, columns: Sequence[str]) -> list[str]:
    """The words in these columns that mean yes."""
    found = {
        cell.lower()
        for name in columns
        for cell in table.cells(name).values
        if bits_of(table.cells(name).values)[cell.lower()]
    }
    return sorted(found)
