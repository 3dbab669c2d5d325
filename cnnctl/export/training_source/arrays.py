"""Arrays and series as code: NumPy's files, and long tables with a row for each time step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cnnctl.data.arrays.collection import Collection
from cnnctl.data.arrays.form import BYTE_WHITES, IMAGE_DIMENSIONS, ArrayForm
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.data.series.table import SeriesTable
from cnnctl.data.sources.signals import SignalSet
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns, ValueColumns
from cnnctl.errors import config_fault
from cnnctl.export.training_source.layout import literal
from cnnctl.export.training_source.tables import IMPORTS, row_lines, target_lines

HEADER = """
from functools import cache

import numpy as np
import torch
from torch import Tensor

"""
HINT = "leave out --training"


def arrays_source(
    path: Path, source: Collection, form: ArrayForm, targets: Mapping[str, TargetColumns]
) -> str:
    """`read_samples()`, which returns the samples of all arrays and their targets.

    Raises:
        FaultError: the arrays are in an archive that NumPy does not read, or of different forms.
    """
    if path.suffix.lower() != ".npz" and not path.is_dir():
        message = f"a training script cannot read arrays in {path.name}"
        raise config_fault(message, hint="save an .npz file, or leave out --training")
    lines = ['"""The samples of the arrays and their targets."""']
    lines.append(f"inputs = {_joined(path, [part.inputs for part in source.parts])}")
    lines += _form_lines(source.inputs, form)
    names = [f"target{number}" if number else "target" for number in range(len(targets))]
    for name, kind in zip(names, targets.values(), strict=True):
        lines += _target_lines(path, source, kind, name)
    lines.append(f"return {', '.join(['torch.from_numpy(inputs)', *names])}")
    body = "\n".join(f"    {line}" for line in lines)
    return f"{HEADER}@cache\ndef read_samples() -> tuple[Tensor, ...]:\n{body}\n"


def _joined(path: Path, arrays: Sequence[StoredArray]) -> str:
    """The code for the rows of these arrays, one after another."""
    if path.is_dir():
        codes = [f"np.load(DATA / {literal(f'{array.name}.npy')})" for array in arrays]
    else:
        codes = [f"np.load(DATA)[{literal(array.name)}]" for array in arrays]
    return f"np.concatenate([{', '.join(codes)}])" if len(codes) > 1 else codes[0]


def _form_lines(array: StoredArray, form: ArrayForm) -> list[str]:
    """Lines that bring `inputs` to their form, (N, *shape)."""
    lines = list[str]()
    axes = form.axes(array.shape[1:])
    assert axes is not None  # as `Collection` has checked
    if -1 in axes:
        lines.append("inputs = inputs[:, None]")
    elif axes != tuple(range(len(axes))):
        lines.append(f"inputs = np.ascontiguousarray(inputs.transpose({literal(axes)}))")
    is_image = len(form.shape) == IMAGE_DIMENSIONS
    kind, white = array.dtype.kind, form.white
    if is_image and white in BYTE_WHITES and kind in "iu":
        return lines if array.dtype == np.uint8 else [*lines, "inputs = inputs.astype(np.uint8)"]
    if is_image and white is not None and array.dtype == np.uint8:
        return lines
    scale = f" / {white!r}" if is_image and white not in (None, 1.0) and kind != "b" else ""
    lines.append(f"inputs = inputs.astype(np.float32){scale}")
    if form.fill is not None:
        lines += _length_lines(form)
    return lines


def _length_lines(form: ArrayForm) -> list[str]:
    """Lines that cut or pad signals, (N, C, L), at the end."""
    return [
        f"inputs = inputs[:, :, :{form.shape[1]}]",
        f"fill = np.array({literal(list(form.fill or ()))}, np.float32)[:, None]",
        f"missing = max({form.shape[1]} - inputs.shape[2], 0)",
        "end = np.broadcast_to(fill, (*inputs.shape[:2], missing))",
        "inputs = np.concatenate([inputs, end], axis=2)",
    ]


def _target_lines(path: Path, source: Collection, kind: TargetColumns, name: str) -> list[str]:
    """Lines that assign the targets of all samples."""
    codes = [
        _joined(path, [part.targets[each] for part in source.parts]) for each in kind.all_columns
    ]
    if isinstance(kind, ClassColumn):
        own = source.targets(kind.column)
        lines = [f"labels = {codes[0]}"]
        way = "argmax(axis=1)" if own.is_one_hot() else "reshape(-1)"
        lines.append(f"labels = labels.{way}")
        names = own.class_names()
        if not own.is_text and names == list(kind.classes) == [str(n) for n in range(len(names))]:
            return [*lines, f"{name} = torch.from_numpy(labels.astype(np.int64))"]
        lines.append(f"classes = {literal(list(kind.classes))}")
        is_flag = all(part.targets[kind.column].dtype.kind == "b" for part in source.parts)
        text = "str(label).lower()" if is_flag else "str(label)"
        return [*lines, f"{name} = torch.tensor([classes.index({text}) for label in labels])"]
    if isinstance(kind, ValueColumns | LabelColumns):
        parts = [f"{code}.reshape(len(inputs), -1)" for code in codes]
        joined = f"np.concatenate([{', '.join(parts)}], axis=1)" if len(parts) > 1 else parts[0]
        return [f"{name} = torch.from_numpy({joined}.astype(np.float32))"]
    message = f"a training script lacks targets of kind {kind.kind}"
    raise config_fault(message, hint=HINT)


def series_source(
    path: Path, data: SignalSet, source: SeriesTable, targets: Mapping[str, TargetColumns]
) -> str:
    """`read_samples()`, which returns the series of a long table and their targets.

    Raises:
        FaultError: the table is no plain file of text.
    """
    fill = literal(list(data.array_form().fill or ()))
    channels, length = data.shape
    lines = [
        *row_lines(path),
        "series: dict[str, list[dict[str, str]]] = {}",
        "for row in rows:",
        f"    series.setdefault(row[{literal(source.roles.series)}], []).append(row)",
        f"signals = np.zeros((len(series), {channels}, {length}), np.float32)",
        f"signals += np.array({fill}, np.float32)[:, None]  # the mean pads short series",
        "for signal, steps in zip(signals, series.values()):",
        f"    steps = steps[:{length}]",
        f"    values = [[float(row[c]) for row in steps] for c in {literal(list(data.channels))}]",
        "    signal[:, : len(steps)] = values",
        "rows = [steps[0] for steps in series.values()]",
    ]
    names = [f"target{number}" if number else "target" for number in range(len(targets))]
    for name, kind in zip(names, targets.values(), strict=True):
        lines += target_lines(_in_columns(kind, source), source.series.table, name)
    lines.append(f"return {', '.join(['torch.from_numpy(signals)', *names])}")
    body = "\n".join(f"    {line}" for line in lines)
    document = '"""The series of the table and their targets."""'
    function = f"@cache\ndef read_samples() -> tuple[Tensor, ...]:\n    {document}\n{body}\n"
    return f"{IMPORTS}from functools import cache\n\n\n{function}"


def _in_columns(kind: TargetColumns, source: SeriesTable) -> TargetColumns:
    """The same kind of target, with the column that was found for `auto`."""
    if isinstance(kind, ClassColumn | LabelColumns) and kind.column in source.roles.targets:
        return kind.model_copy(update={"column": source.roles.targets[kind.column]})
    if isinstance(kind, ValueColumns):
        columns = [source.roles.targets.get(name, name) for name in kind.columns]
        return kind.model_copy(update={"columns": columns})
    return kind
