"""Validation of samples against their description: counts, shapes, dtypes, labels, finite numbers.

All data is converted here if that is lossless: numbers become float32, pixels bytes, classes int64.
Everything downstream relies on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from typing import TypeVar

import torch
from torch import Tensor

from cnnctl.config.wording import show, times
from cnnctl.data.rows import Rows, TensorRows
from cnnctl.data.samples import DatasetInfo, Samples, Shape, Target
from cnnctl.errors import FaultError, data_fault

BLACK, WHITE = 0, 255
EXACT = 2**24
"""The limit up to which float32 represents all integers exactly."""
NOT_COMPARED = torch.bool, torch.uint16, torch.uint32, torch.uint64
"""Dtypes for which torch cannot compute a minimum."""
Values = Tensor | Rows
ValuesType = TypeVar("ValuesType", Tensor, Rows, Tensor | Rows)
OTHERS = "check that the files are intact and belong to this dataset"


def conformed(samples: Samples, description: DatasetInfo, *, what: str) -> Samples:
    """The same samples in the form that the whole program relies on; see `Samples`.

    Raises:
        FaultError: they do not fit the description, or cannot be converted without loss.
    """
    known = {description.target: samples.targets, **samples.others}
    for target in description.targets:
        if target.name not in known:
            hint = "return it in Samples.others, or remove it from the DatasetInfo"
            raise data_fault(f"{what} has no target named {target.name}", hint=hint)
    _check_form(samples.inputs, (Tensor, Rows), "inputs", what)
    for name, values in known.items():
        _check_form(values, (Tensor,), name, what)
    _check_counts(samples.inputs, known, what)
    _check_shape(samples.inputs, description.shape, what)
    targets = {
        target.name: _conformed_target(known[target.name], target, what)
        for target in description.targets
    }
    inputs = conformed_inputs(samples.inputs, what)
    return replace(samples, inputs=inputs, targets=targets.pop(description.target), others=targets)


def _check_form(values: object, forms: tuple[type, ...], name: str, what: str) -> None:
    """Raise a FaultError unless this is a tensor or rows of samples."""
    if isinstance(values, Tensor | Rows) and isinstance(values, forms):
        if values.ndim:
            return
        given = "a single number"
    else:
        given = f"of type {type(values).__name__}"
    message = f"{what} has {name} that are {given}, not a tensor of samples"
    raise data_fault(message, hint="use torch.from_numpy or torch.tensor")


def _check_counts(inputs: Values, targets: dict[str, Tensor], what: str) -> None:
    for values in targets.values():
        if len(values) != len(inputs):
            counts = f"{len(inputs)} samples, but {len(values)} targets"
            raise data_fault(f"{what} has {counts}", hint="check that the files belong together")
    if not len(inputs):
        raise data_fault(f"{what} has no samples", hint="delete its files to download them again")


def _check_shape(inputs: Values, described: Shape, what: str) -> None:
    shape = tuple(inputs.shape[1:])
    if shape != tuple(described):
        message = f"{what} has samples of {_sides(shape)}, not of {_sides(described)}"
        raise data_fault(message, hint="check that the files belong to this dataset")


def conformed_inputs(inputs: ValuesType, what: str) -> ValuesType:
    """Inputs (N, …): integer images as uint8, everything else as float32.

    Raises:
        FaultError: they cannot be converted without loss, or are not finite.
    """
    name = f"{what} has inputs"
    if inputs.ndim != 4 or inputs.dtype.is_floating_point or inputs.dtype == torch.bool:
        _check_numbers(inputs, name)
        return inputs.to(torch.float32)
    if inputs.dtype == torch.uint8:
        return inputs
    low, high = _range(inputs, name, wanted="uint8")
    if low < BLACK or high > WHITE:
        message = f"{name} of {_dtype(inputs)} from {low:g} to {high:g}, not from 0 to 255"
        raise data_fault(message, hint="use uint8 or floating-point pixels")
    return inputs.to(torch.uint8)


def _conformed_target(values: Tensor, target: Target, what: str) -> Tensor:
    name = f"{what} has {target.name if target.name != 'target' else 'targets'}"
    if target.kind == "class" and not target.is_soft:
        return _classes(values, target, what, name)
    if tuple(values.shape[1:]) != (target.outputs,):
        wanted = f"(N, {target.outputs})"
        message = f"{name} of shape {_batch(values)}, not {wanted}"
        raise data_fault(message, hint=f"give {target.outputs} values for each sample")
    _check_numbers(values, name)
    if target.is_soft:
        _check_probabilities(values, name)
    elif target.kind == "labels":
        _check_labels(values, target, name)
    return values.to(torch.float32)


def _check_probabilities(values: Tensor, name: str) -> None:
    low, high = _range(values, name, wanted="float32")
    if low < 0 or high > 1:
        message = f"{name} from {low:g} to {high:g}, but probabilities are from 0 to 1"
        raise data_fault(message, hint="give probabilities, or classes as integers")


def _check_labels(values: Tensor, target: Target, name: str) -> None:
    """Raise a FaultError unless each label (N, L) is 0 or 1."""
    start = 0
    for chunk in _chunks(values):
        numbers = chunk.to(torch.float32)
        wrong = ((numbers != 0) & (numbers != 1)).nonzero()
        if len(wrong):
            row, label = wrong[0].tolist()
            found = f"{numbers[row, label]:g} for {show(target.class_names[label])}"
            message = f"{name} other than 0 and 1: {found} in sample {start + row} (counted from 0)"
            raise data_fault(message, hint="give 1 for each label that a sample has, 0 for others")
        start += len(chunk)


def _classes(labels: Tensor, target: Target, what: str, name: str) -> Tensor:
    """(N,) classes as int64."""
    if labels.is_floating_point() or labels.is_complex() or labels.ndim != 1:
        message = f"{name} of {_dtype(labels)} {_batch(labels)}, but classes are integers (N,)"
        raise data_fault(message, hint="give each sample's class as an int64, counted from 0")
    low, high = _range(labels, name, wanted="int64")
    if low < 0 or high >= target.outputs:
        labelled = f"labels from {low:g} to {high:g}, but classes from 0 to {target.outputs - 1}"
        raise data_fault(f"{what} has {labelled}", hint=OTHERS)
    return labels.to(torch.int64)


def _check_numbers(values: Values, name: str) -> None:
    """Raise a FaultError unless float32 represents all of them, and all are finite."""
    low, high = _range(values, name, wanted="float32")
    if values.dtype.is_floating_point:
        _check_finite(values, name)
    elif max(-low, high) > EXACT:
        message = f"{name} of {_dtype(values)} up to {max(-low, high):g}, which float32 would round"
        raise data_fault(message, hint=f"scale them to at most {EXACT:,}, or use float32")


def _range(values: Values, name: str, *, wanted: str) -> tuple[float, float]:
    """The minimum and the maximum."""
    try:
        bounds = [_bounds(chunk) for chunk in _chunks(values)]
    except (NotImplementedError, RuntimeError):
        message = f"{name} of {_dtype(values)}, which cannot be converted to {wanted}"
        raise data_fault(message, hint=f"use {wanted}") from None
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _bounds(chunk: Tensor) -> tuple[float, float]:
    low, high = torch.aminmax(chunk.to(torch.int64) if chunk.dtype in NOT_COMPARED else chunk)
    return low.item(), high.item()


def _check_finite(values: Values, name: str) -> None:
    """Raise a FaultError for NaN, for infinities, and for what is too large for float32."""
    start = 0
    for chunk in _chunks(values):
        low, high = torch.aminmax(chunk.to(torch.float32))  # NaN propagates
        if not (isfinite(low.item()) and isfinite(high.item())):
            raise _not_finite(chunk, start, name)
        start += len(chunk)


def _not_finite(chunk: Tensor, start: int, name: str) -> FaultError:
    vectors = chunk.flatten(1) if chunk.ndim > 1 else chunk[:, None]
    wrong = ~torch.isfinite(vectors.to(torch.float32))
    row = int(wrong.any(dim=1).nonzero()[0])
    own = vectors[row][wrong[row]][0].item()
    message = f"{name} that are not finite: {own:g} in sample {start + row} (counted from 0)"
    return data_fault(message, hint="remove such samples, or fill in the missing values")


def _chunks(values: Values) -> Iterator[Tensor]:
    return (TensorRows(values) if isinstance(values, Tensor) else values).chunks()


def _dtype(values: Values) -> str:
    return str(values.dtype).removeprefix("torch.")


def _batch(values: Tensor) -> str:
    return f"({', '.join(['N', *map(str, values.shape[1:])])}{',' * (values.ndim == 1)})"


def _sides(shape: Shape) -> str:
    return times(shape) or "single numbers"
