"""Compares an export with its original: the largest difference over random and real inputs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.original import Original

TOLERANCE = 1e-4
"""The largest difference of float32 outputs."""
INFINITE = float("inf")
RANDOM = 8
"""Random inputs; with the first in a batch of its own, the others in a second one."""


def compared(
    format: Format, original: Original, wishes: Wishes, file: Path, run: Run, *, raw: bool
) -> Checked:
    """Compare the outputs of an exported file with those of its original.

    Inputs are stored samples and outputs are answers, unless `raw`; see `Original.random` and
    `answers`.
    """
    batches = batches_of(original, raw=raw)
    expected = {name: answers(original, batch, raw=raw) for name, batch in batches.items()}
    difference = largest_difference(expected, run(format, file, batches))
    return checked(difference, original, wishes, batches)


def checked(difference: float, original: Original, wishes: Wishes, batches: Batches) -> Checked:
    """The result of a comparison on these batches."""
    real = sum(len(batch) for name, batch in batches.items() if name.startswith("real"))
    kinds = f"{RANDOM} random inputs"
    if real:
        kinds += f" and {real} samples of {original.experiment.data.kind}"
    sizes = sorted({len(batch) for batch in batches.values()})
    return Checked(
        difference,
        TOLERANCE if wishes.tolerance is None else wishes.tolerance,
        f"{kinds}, in batches of {' and '.join(map(str, sizes))}",
        figures={"random": RANDOM, "real": real, "batch_sizes": sizes},
        notes=unread(original),
    )


def unread(original: Original) -> tuple[str, ...]:
    """What to say where no real inputs could be read."""
    if original.samples is not None:
        return ()
    return (f"checked with random inputs only, since the data cannot be read ({original.unread})",)


def batches_of(original: Original, *, raw: bool) -> dict[str, Tensor]:
    """Random inputs, and real ones if the data is there: a batch of one, and one of the others."""
    found = {"random": original.random(RANDOM, raw=raw)}
    if original.samples is not None and (not raw or original.preprocessing is not None):
        found["real"] = original.inputs(original.samples) if raw else original.samples
    parts = {
        f"{name}-{number}": part
        for name, inputs in found.items()
        for number, part in enumerate((inputs[:1], inputs[1:]))
    }
    return {name: part for name, part in parts.items() if len(part)}


@torch.no_grad()
def answers(original: Original, inputs: Tensor, *, raw: bool) -> dict[str, Tensor]:
    """The answers of the original to every task, by the name of the output; see `output_names`.

    Probabilities (N, C), or values (N, T) in their own units; if `raw`, for preprocessed inputs,
    what the network outputs for each task.
    """
    prepared = inputs if raw else original.inputs(inputs)
    outputs = original.network(prepared)
    found = dict[str, Tensor]()
    for name, task in zip(output_names(original, raw=raw), original.tasks, strict=True):
        own = outputs if task.outputs is None else outputs[:, task.outputs]
        if not raw and task.target.kind == "values":
            own = original.trained.in_own_units(task, own)
        elif not raw:
            own = task.probabilities(own)
        found[name] = own
    return found


def output_names(original: Original, *, raw: bool) -> list[str]:
    """The name of the output for each task: its head, or what the outputs of the network are."""
    return [
        task.name
        or (task.loss.outputs if raw else "")
        or ("values" if task.target.kind == "values" else "probabilities")
        for task in original.tasks
    ]


def largest_difference(expected: Results, found: Results) -> float:
    """The largest difference of any two numbers; infinite if outputs are missing or misshapen.

    Relative to the largest number of an output if that is above 1, such as a price.
    """
    if expected.keys() != found.keys():
        return INFINITE
    return max(_of_batch(expected[name], found[name]) for name in expected)


def _of_batch(expected: Batches, found: Batches) -> float:
    if expected.keys() != found.keys():
        return INFINITE
    return max(difference(expected[name], found[name]) for name in expected)


def difference(expected: Tensor, found: Tensor) -> float:
    """The largest difference of two tensors; infinite for other shapes."""
    if expected.shape != found.shape:
        return INFINITE
    if not expected.numel():
        return 0.0
    wanted, given = expected.double(), found.double()
    is_same = (wanted == given) | (wanted.isnan() & given.isnan())
    apart = torch.where(is_same, 0.0, (wanted - given).abs()).nan_to_num(
        nan=INFINITE, posinf=INFINITE
    )
    scale = wanted[wanted.isfinite()].abs().amax().clamp_min(1) if wanted.isfinite().any() else 1
    return float((apart / scale).amax())
