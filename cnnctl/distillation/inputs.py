"""The inputs of a student as its teacher takes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cnnctl.config.wording import shape_of_sample, times
from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import Normalize
from cnnctl.distillation.teachers import Teacher
from cnnctl.errors import config_fault
from cnnctl.model.layer import Shape


@dataclass(frozen=True, slots=True)
class InputMap:
    """Undoes the student's normalisation, applies the teacher's, and resizes images."""

    factor: Tensor | None
    """(C, 1, …); None where both normalise alike."""
    summand: Tensor
    sides: Shape
    """The teacher's height and width."""
    is_resized: bool

    @classmethod
    def between(cls, data: DataSet, teacher: Teacher, device: torch.device) -> InputMap:
        """From samples of a student's dataset, with known statistics, to a teacher's."""
        shape = data.whole().shape
        own = data.normalize if isinstance(data.normalize, Normalize) else None
        is_same = own == teacher.normalize and shape[0] == teacher.input[0]
        mean, std = _statistics(own, shape)
        other_mean, other_std = _statistics(teacher.normalize, teacher.input)
        factor, summand = std / other_std, (mean - other_mean) / other_std
        return cls(
            None if is_same else factor.to(device),
            summand.to(device),
            teacher.input[1:],
            is_resized=shape[1:] != teacher.input[1:],
        )

    def __call__(self, inputs: Tensor) -> Tensor:
        """(N, C, …) as the student takes them in, as the teacher takes them out.

        Grey pixels are repeated for a teacher of three channels, by broadcasting.
        """
        if self.factor is not None:
            inputs = torch.addcmul(self.summand, inputs, self.factor)
        if not self.is_resized:
            return inputs
        return functional.interpolate(inputs, self.sides, mode="bilinear", antialias=True)


def _statistics(normalize: Normalize | None, shape: Shape) -> tuple[Tensor, Tensor]:
    none = torch.zeros(shape[0]), torch.ones(shape[0])
    mean, std = normalize.tensors() if normalize else none
    spread = (shape[0], *[1] * (len(shape) - 1))
    return mean.view(spread), std.view(spread)


def check_inputs(data: DataSet, teacher: Teacher) -> None:
    """Check that a teacher can be given the samples of this dataset.

    Raises:
        FaultError: it cannot; the path is empty.
    """
    shape = data.whole().shape
    is_grey_too = shape[0] == 1 and teacher.input[0] == 3
    is_image = len(shape) == len(teacher.input) == 3
    fits = (
        (shape[0] == teacher.input[0] or is_grey_too) if is_image else shape == teacher.input
    ) and data.has_pixels == teacher.has_pixels
    called = teacher.source.called
    if not fits:
        message = (
            f"{called} takes {shape_of_sample(teacher.input)}, and the data has "
            f"{shape_of_sample(shape)}"
        )
        raise config_fault(message, hint="use a teacher of such samples")
    if dict(data.input_names()) != dict(teacher.input_names) and not is_image:
        message = f"{called} was trained on other columns or channels"
        raise config_fault(message, hint="train the teacher on the same data")


def describe_inputs(data: DataSet, teacher: Teacher) -> str:
    """How inputs are changed for a teacher; empty if they are not."""
    shape = data.whole().shape
    if shape[1:] == teacher.input[1:]:
        return ""
    return f"sees images resized from {times(shape[1:])} to {times(teacher.input[1:])}"
