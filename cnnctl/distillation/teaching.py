"""The teachers at work: their answers to a batch, on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.data.preprocessing import Preprocessing
from cnnctl.device import autocast
from cnnctl.distillation.features import Taps
from cnnctl.distillation.inputs import InputMap
from cnnctl.distillation.lessons import Lesson, in_units
from cnnctl.distillation.plan import DistillationPlan, LayerPair
from cnnctl.experiment import Experiment
from cnnctl.prediction.outputs import block_size

Answers = tuple[Tensor, ...]
"""What is to be learned from a batch: an answer (N, …) for each lesson, then for each layer."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A teacher on the device."""

    network: nn.Module
    inputs: InputMap


@dataclass(frozen=True, slots=True)
class Teaching:
    """The teachers of a student, on the device."""

    plan: DistillationPlan
    lessons: tuple[Lesson, ...]
    asked: tuple[_Asked, ...]
    taps: Taps
    """On the layers of the first teacher."""
    block: int
    """Samples that are computed at a time, always as many, so that a sample gets the same bits in
    every batch; see `prediction.outputs.block_size`."""
    precision: str
    layout: torch.memory_format

    @classmethod
    def of(cls, plan: DistillationPlan, experiment: Experiment, device: torch.device) -> Teaching:
        """The teachers of a prepared experiment, whose statistics are known."""
        data, layout = experiment.data, getattr(torch, experiment.train.memory_format)
        asked = tuple(
            _Asked(
                teacher.network(device).to(memory_format=layout),
                InputMap.between(data, teacher, device),
            )
            for teacher in plan.teachers
        )
        targets = Preprocessing.of(data).normalize_targets
        most = min(block_size(teacher.plan, device) for teacher in plan.teachers)
        return cls(
            plan,
            tuple(in_units(each, plan.teachers, targets, device) for each in plan.lessons),
            asked,
            Taps(asked[0].network, [pair.transfer.teacher for pair in plan.pairs]),
            most if data.batch_size == "all" else min(most, data.batch_size),
            experiment.train.precision,
            layout,
        )

    @property
    def pairs(self) -> tuple[LayerPair, ...]:
        """The layers that are learned."""
        return self.plan.pairs

    @torch.no_grad()
    def answers(self, inputs: Tensor) -> Answers:
        """What the teachers say to a batch (N, …), as the student takes it."""
        parts = [
            [answer[:count] for answer in self._answer(block)]
            for block, count in self._blocks(inputs)
        ]
        return tuple(torch.cat(columns) for columns in zip(*parts, strict=True))

    def _blocks(self, inputs: Tensor) -> Iterator[tuple[Tensor, int]]:
        """The batch in blocks of one size, with the number of its samples in each."""
        for part in torch.split(inputs, self.block):
            missing = self.block - len(part)
            filled = functional.pad(part, (0, 0) * (part.ndim - 1) + (0, missing))
            yield filled if missing else part, len(part)

    def _answer(self, block: Tensor) -> Answers:
        outputs = []
        for asked in self.asked:
            inputs = asked.inputs(block)
            if inputs.ndim == 4:
                inputs = inputs.contiguous(memory_format=self.layout)
            with autocast(self.precision, block.device):
                outputs.append(asked.network(inputs).float())
        answers = [lesson.answer(outputs) for lesson in self.lessons]
        noted = self.taps.take()
        layers = [
            pair.transfer.taught(noted[pair.transfer.teacher], student=pair.student)
            for pair in self.pairs
        ]
        return (*answers, *layers)
