"""Adversarial samples: the smallest changes that make a network say something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from cnnctl.disturbance.attack import Gradient, fgsm, flip_distances, loss_gradient, pgd
from cnnctl.disturbance.kinds.pgd import PGD, STRIDE
from cnnctl.disturbance.units import Units
from cnnctl.errors import config_fault, nearest
from cnnctl.explanation.attribution import arrays_of, target_of
from cnnctl.explanation.explanation import Explanation, Fact, HeatMap, Panel, Row
from cnnctl.explanation.method import Method
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject

ATTACKS = ("fgsm", "pgd")
UNFLIPPED = 0.1
"""Epsilon to show where no epsilon flips the class."""
FARTHEST = {True: 1.0, False: 8.0}
"""The largest epsilon that is tried: from black to white, or eight standard deviations."""


class Adversarial(Method):
    """Samples changed by an attack: each with what was changed, and what is said of it then."""

    name = "adversarial"
    reference = "Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572"
    options = frozenset({"target", "epsilon", "attack"})

    def misfit(self, subject: Subject) -> str:
        kinds = {task.target.kind for task in subject.tasks}
        return "needs classes or labels" if kinds == {"values"} else ""

    def explain(self, request: Request) -> Explanation:
        _check(request)
        units = Units.of(request.subject.trained, _inputs(request.subject))
        attacked = [
            _Attacked(request, units, index, inputs, number)
            for index, (inputs, number) in enumerate(request.cases())
        ]
        ndim = len(request.subject.shape)
        changes = [each.change for each in attacked]
        distances = [each.distance for each in attacked]
        return Explanation(
            method=self.name,
            ndim=ndim,
            notes=list(_notes(request, units)),
            rows=[each.row() for each in attacked],
            columns=["original", "change", "result"] if ndim > 1 else [],
            names=request.task.target.class_names,
            features=[f"feature {number + 1}" for number in range(request.subject.shape[0])],
            arrays={"change": torch.stack(changes), "distance": torch.tensor(distances)}
            | arrays_of(request),
        )


def _check(request: Request) -> None:
    if request.task.target.kind == "values":
        message = "adversarial needs classes or labels"
        raise config_fault(message, hint="choose another head with --head")
    if request.attack not in (None, *ATTACKS):
        message = f"--attack: no attack is named {request.attack!r}"
        raise config_fault(message, hint=nearest(request.attack, ATTACKS))


def _inputs(subject: Subject) -> Iterator[Tensor]:
    """The inputs of the default split; they are read only if they are asked for."""
    for inputs, _ in subject.batches().in_order():
        yield inputs


def _notes(request: Request, units: Units) -> Iterator[str]:
    towards = "" if request.target is None else f" towards {request.name_of(request.target)}"
    yield f"adversarial: {request.attack or ATTACKS[0]}{towards}"
    unit = "a pixel, from 0 to 1" if units.is_bounded else "a number, in its std"
    yield f"epsilon: the largest change of {unit}"
    if request.epsilon is None:
        yield "shown: the smallest epsilon that flips the class"
    if units.is_bounded:
        yield "changes are magnified; grey is no change"


@dataclass(frozen=True)
class _Attacked:
    """A sample under attack."""

    request: Request
    units: Units
    index: int
    inputs: Tensor
    """(1, …), normalised."""
    number: int
    """The class to reach if there is a target, or else to leave; for labels, the one to flip."""

    @property
    def is_targeted(self) -> bool:
        """Whether the loss is to fall: towards a class, or the opposite of a label."""
        return self.request.target is not None or self.request.task.target.kind == "labels"

    @cached_property
    def values(self) -> Tensor:
        """The sample in units, (1, …)."""
        return self.units.values(self.inputs)

    @cached_property
    def gradient(self) -> Gradient:
        """The gradient of the loss of this head alone."""
        task = replace(self.request.task, targets=None)
        wanted = torch.tensor([self.number], device=self.inputs.device)
        if task.target.kind == "labels":
            wanted = self._predicted(self.inputs).float()
            wanted[:, self.number] = 1 - wanted[:, self.number]
        return loss_gradient(self.request.network, [task], self.units, wanted)

    @cached_property
    def _first_gradient(self) -> Tensor:
        return self.gradient(self.values)

    def at(self, epsilon: float) -> Tensor:
        """The sample under an attack of this strength, as the network takes it; (1, …)."""
        clip, towards = self.units.clipped, self.is_targeted
        if self.request.attack == "pgd":
            steps = PGD().steps
            moved = pgd(
                self.values,
                self.gradient,
                epsilon=epsilon,
                steps=steps,
                step_size=STRIDE * epsilon / steps,
                clip=clip,
                towards=towards,
            )
        else:
            moved = fgsm(
                self.values,
                lambda _: self._first_gradient,
                epsilon=epsilon,
                clip=clip,
                towards=towards,
            )
        return self.units.inputs(moved)

    @torch.no_grad()
    def _predicted(self, inputs: Tensor) -> Tensor:
        """The class (1,), or the labels (1, L)."""
        outputs = self.request.network(inputs).float()
        if self.request.task.outputs is not None:
            outputs = outputs[:, self.request.task.outputs]
        return self.request.task.predict(outputs)

    def _is_flipped(self, inputs: Tensor) -> bool:
        """Whether the target is reached, the class left, or the label flipped."""
        said = self._predicted(inputs)[0]
        if self.request.task.target.kind == "labels":
            return bool(said[self.number] != self._predicted(self.inputs)[0, self.number])
        return (int(said) == self.number) == self.is_targeted

    @cached_property
    def distance(self) -> float:
        """The smallest epsilon at which the class flips; inf if there is none."""
        if self._is_flipped(self.inputs):  # predicted already
            return 0.0

        def flips(epsilon: Tensor) -> Tensor:
            return torch.tensor([self._is_flipped(self.at(float(epsilon)))])

        farthest = FARTHEST[self.units.is_bounded]
        return float(flip_distances(flips, samples=1, at_most=farthest))

    @cached_property
    def epsilon(self) -> float:
        """The strength that is shown."""
        if self.request.epsilon is not None:
            return self.request.epsilon
        return UNFLIPPED if self.distance == torch.inf else self.distance

    @cached_property
    def result(self) -> Tensor:
        """The changed sample, as the network takes it; (1, …)."""
        return self.at(self.epsilon) if self.epsilon else self.inputs

    @cached_property
    def change(self) -> Tensor:
        """What was changed, in units; of the shape of a sample, on the CPU."""
        return (self.units.values(self.result) - self.values)[0].cpu()

    def row(self) -> Row:
        """The original, the change and the result."""
        name, said = self.request.samples.names[self.index], self._words()
        title = f"{name}: {said[0]} becomes {said[1]} at epsilon {self.epsilon:.4f}"
        return Row(name, title, self._panels(said), self._facts())

    def _panels(self, said: tuple[str, str]) -> list[Panel]:
        subject = self.request.subject
        before, after = (subject.in_units(each)[0].cpu() for each in (self.inputs, self.result))
        if before.ndim == 1:
            return [Panel(None, HeatMap.of(self.change, is_signed=True))]
        first, last = Panel(before, captions=(said[0],)), Panel(after, captions=(said[1],))
        if not self.units.is_bounded:
            heat = HeatMap.of(self.change, is_signed=True) if before.ndim == 2 else None
            shown = None if heat else self.change
            return [first, Panel(shown, heat), last]
        factor = 0.5 / max(float(self.change.abs().max()), 1e-6)
        magnified = (0.5 + factor * self.change).clamp(0, 1)
        return [first, Panel(magnified, captions=(f"change x {factor:.1f}",)), last]

    def _facts(self) -> dict[str, Fact]:
        (before, share), (after, other) = self._said
        return {
            "predicted": before,
            "share": share,
            "target": target_of(self.request, self.index),
            "flips at": None if self.distance == torch.inf else self.distance,
            "epsilon": self.epsilon,
            "then predicted": after,
            "its share": other,
        }

    def _words(self) -> tuple[str, str]:
        first, last = (f"{name} ({share:.1%})" for name, share in self._said)
        return first, last

    @cached_property
    def _said(self) -> tuple[tuple[str, float], tuple[str, float]]:
        """The likeliest class and its share, or the label and its share; before and after."""
        return self._answer(self.inputs), self._answer(self.result)

    @torch.no_grad()
    def _answer(self, inputs: Tensor) -> tuple[str, float]:
        number = self.number
        if self.request.task.target.kind == "class":
            number = int(self._predicted(inputs))
        return self.request.name_of(number), float(self.request.share(number)(inputs))
