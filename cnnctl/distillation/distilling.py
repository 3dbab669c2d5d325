"""The student's side of a distillation: its further losses, and how far it agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnctl.data.loader import Batches
from cnnctl.distillation.features import Taps
from cnnctl.distillation.lessons import Lesson
from cnnctl.distillation.memory import Remembered
from cnnctl.distillation.plan import LayerPair
from cnnctl.distillation.teaching import Answers, Teaching
from cnnctl.evaluation.scores import by_head
from cnnctl.metrics import Agreement


@dataclass(slots=True)
class Distilling:
    """What a run learns from its teachers."""

    teaching: Teaching
    regressors: nn.ModuleList
    """For each pair of layers, what the student's output passes; trained along."""
    taps: Taps
    """On the layers of the student."""
    remembered: Remembered | None = None

    @classmethod
    def of(
        cls, teaching: Teaching, network: nn.Module, *, seed: int, device: torch.device
    ) -> Distilling:
        """The distillation of a new run; `seed` decides the weights of the regressors."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            regressors = nn.ModuleList(
                pair.transfer.regressor(pair.student, pair.teacher) for pair in teaching.pairs
            )
        taps = Taps(network, [pair.transfer.student for pair in teaching.pairs])
        return cls(teaching, regressors.to(device), taps)

    @property
    def lessons(self) -> tuple[Lesson, ...]:
        """Those from the teachers' answers."""
        return self.teaching.lessons

    @property
    def pairs(self) -> tuple[LayerPair, ...]:
        """Those from the layers of the first teacher."""
        return self.teaching.pairs

    @property
    def share(self) -> float:
        """The share of the teachers' answers in the loss."""
        return self.teaching.plan.settings.weight

    @property
    def weights(self) -> list[float]:
        """The weight of each of `losses` in the total loss."""
        own = [self.share * each.scale * each.task.weight for each in self.lessons]
        return [*own, *(pair.transfer.weight for pair in self.pairs)]

    @property
    def sizes(self) -> list[float]:
        """How many numbers of a sample each of `losses` is the mean of."""
        return [*(float(each.summed) for each in self.lessons), *(1.0 for _ in self.pairs)]

    @property
    def counters(self) -> int:
        """The length of `agreement_sums`."""
        return sum(lesson.counters for lesson in self.lessons)

    def remember(self, batches: Batches) -> None:
        """Compute all answers now, if they stay the same."""
        self.remembered = Remembered.of(self.teaching, batches)

    def answers(self, inputs: Tensor, rows: Tensor | None) -> Answers:
        """The answers to a batch; `rows` are those of its samples in the store, if known."""
        if self.remembered is not None and rows is not None:
            return self.remembered.take(rows)
        return self.teaching.answers(inputs)

    def losses(self, outputs: Tensor, answers: Answers) -> list[Tensor]:
        """The sum over the samples of the loss of each lesson and each pair of layers.

        The student's layers are those of the last pass.
        """
        told, count = self.taps.take(), len(self.lessons)
        own = [
            lesson.loss(lesson.task.of_outputs(outputs), answer)
            for lesson, answer in zip(self.lessons, answers[:count], strict=True)
        ]
        layers = [
            pair.transfer.loss(regressor(told[pair.transfer.student]), answer)
            for pair, regressor, answer in zip(
                self.pairs, self.regressors, answers[count:], strict=True
            )
        ]
        return own + layers

    @torch.no_grad()
    def agreement_sums(self, outputs: Tensor, answers: Answers) -> Tensor:
        """Sums over the samples, (counters,), from which `agreements` follow."""
        pairs = zip(self.lessons, answers, strict=False)  # answers of layers come behind
        parts = [each.agreement_sums(each.task.of_outputs(outputs), own) for each, own in pairs]
        return torch.cat([torch.zeros(0, device=outputs.device), *parts]).double()

    def agreements(self, sums: Sequence[float], samples: float) -> dict[str, float]:
        """The agreement in each task, by the name of its metric; with heads, also their mean."""
        left = iter(sums)
        found = [
            (each.task, each.agreement([next(left) for _ in range(each.counters)], samples))
            for each in self.lessons
        ]
        shares = [share for _, share in found]
        return by_head(Agreement.kind, [task for task, _ in found], shares)


def parameters_of(distilling: Distilling | None) -> list[nn.Parameter]:
    """The weights that are trained beside the network."""
    return [] if distilling is None else list(distilling.regressors.parameters())
