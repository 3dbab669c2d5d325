"""A preview in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnctl.config.wording import shape_of_sample, times
from cnnctl.data.samples import Shape
from cnnctl.experiment.rates import Rates
from cnnctl.preview.gather import Preview


def report(preview: Preview) -> Iterator[str]:
    """The lines that say what a sheet shows."""
    split = "training" if preview.split == "train" else preview.split
    of = f"{len(preview.rows):,} of {preview.available:,} {split} samples of {preview.data}"
    epochs = len(preview.columns) - 1
    drawn = f" and as drawn in {_range(epochs)}" if epochs else ""
    yield f"{of}, {shape_of_sample(preview.shape)}, as stored{drawn}"
    yield f"augmentation: {', '.join(preview.augmentations) or 'none'}"
    if preview.sizes:
        yield f"image sizes: {', '.join(_growth(preview.sizes))}"
    channels = preview.shape[0]
    if len(preview.shape) == 3 and channels not in (1, 3):
        drawn = "the first three as red, green and blue" if channels > 3 else "only the first"
        yield f"note: of the {channels} channels, the sheet shows {drawn}"
    yield from _about(preview.rates)
    if preview.naming.legend:
        yield f"class names that the sheet's font lacks: {preview.naming.described()}"
    if preview.is_other_device:
        yield "note: train.device is not available; drawn on the CPU, which draws other numbers"


def _growth(sizes: Sequence[Shape]) -> Iterator[str]:
    """The epochs from which images have another size."""
    for epoch, size in enumerate(sizes):
        if epoch == 0 or size != sizes[epoch - 1]:
            yield f"{times(size)} from epoch {epoch + 1}"


def _range(epochs: int) -> str:
    return "epoch 1" if epochs == 1 else f"epochs 1 to {epochs}"


def _about(rates: Rates) -> Iterator[str]:
    per_epoch = "1 step" if rates.steps_per_epoch == 1 else f"{rates.steps_per_epoch:,} steps"
    epochs = "1 epoch" if rates.epochs == 1 else f"{rates.epochs:,} epochs"
    yield f"{per_epoch} per epoch, {rates.total:,} in {epochs}"
    curve = rates.curves[0]
    if min(curve) == max(curve):
        yield f"learning rate: {curve[0]:.3g}, constant"
        return
    peak = max(range(len(curve)), key=curve.__getitem__)
    highest = f", {curve[peak]:.3g} at its peak (step {rates.steps[peak] + 1:,})"
    is_inside = curve[peak] > max(curve[0], curve[-1])
    yield (
        f"learning rate: {curve[0]:.3g} at the start{highest if is_inside else ''}"
        f", {curve[-1]:.3g} at the end"
    )
    if rates.depends_on_progress:
        yield "note: plateau lowers the learning rate whenever its metric stops improving"
