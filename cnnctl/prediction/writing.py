"""Answers as a table, as CSV and as lines of JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import chain
from typing import Literal

from rich import box
from rich.table import Column, Table

from cnnctl.experiment import Task
from cnnctl.prediction.answers import Answer, Answered

CLASSES_SHOWN = 1
"""Classes in a table or in CSV, where no other number is asked for."""


def as_json_lines(answered: Iterable[Answered], *, top: int | None) -> Iterator[str]:
    """An object for each input; with heads, an object of each in `heads`."""
    for each in answered:
        yield json.dumps(each.to_json(top=top))


def as_csv(
    answered: Iterable[Answered], tasks: Sequence[Task], *, top: int | None
) -> Iterator[str]:
    """A header, and a row for each input that could be read."""
    yield _csv_line(["input", *chain.from_iterable(_columns(task, top) for task in tasks)])
    for each in answered:
        if each.fault is None:
            yield _csv_line([each.name, *chain.from_iterable(_cells(a, top) for a in each.answers)])


def as_table(answered: Iterable[Answered], tasks: Sequence[Task], *, top: int | None) -> Table:
    """A table of the inputs that could be read."""
    names = list(chain.from_iterable(_columns(task, top) for task in tasks))
    columns = (Column(name, justify=_justify(name)) for name in names)
    table = Table("input", *columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for each in answered:
        if each.fault is None:
            cells = chain.from_iterable(_cells(own, top) for own in each.answers)
            table.add_row(each.name, *map(_shown, cells))
    return table


def _columns(task: Task, top: int | None) -> list[str]:
    if task.target.kind == "labels":
        names = ["labels", *(f"p({name})" for name in task.target.class_names)]
    elif task.target.kind == "values":
        count = task.target.outputs
        names = ["value"] if count == 1 else [f"value_{at}" for at in range(1, count + 1)]
    else:
        shown = min(top or CLASSES_SHOWN, task.target.outputs)
        numbers = ["", *(f"_{at}" for at in range(2, shown + 1))]
        names = [f"{name}{number}" for number in numbers for name in ("class", "probability")]
    return [f"{task.name}_{name}" if task.name else name for name in names]


def _cells(answer: Answer, top: int | None) -> list[str | float]:
    """The cells of the columns."""
    if answer.task.target.kind == "labels":
        return ["; ".join(answer.labels), *answer.numbers]
    if answer.task.target.kind == "values":
        return [*answer.numbers]
    return list(chain.from_iterable(answer.ranked[: top or CLASSES_SHOWN]))


def _justify(name: str) -> Literal["left", "right"]:
    return "left" if "class" in name or name.endswith("labels") else "right"


def _shown(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:.4f}"


def _csv_line(cells: Sequence[str | float]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
