"""Networks measured on disturbed inputs: what each strength costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnctl.data.device_store import Batch
from cnnctl.disturbance.attack import loss_gradient
from cnnctl.disturbance.chance import Chance
from cnnctl.disturbance.disturbance import Disturbance, Sampled
from cnnctl.disturbance.sweeps import Sweep
from cnnctl.disturbance.units import Form, Units, form_of
from cnnctl.errors import config_fault
from cnnctl.evaluation.evaluate import Measurable
from cnnctl.evaluation.heads import Heads
from cnnctl.metrics import METRICS, Number
from cnnctl.target import TargetKind

MAIN: Mapping[TargetKind, str] = {
    "class": "accuracy",
    "labels": "average_precision",
    "values": "rmse",
}
"""The metric that is followed, by what is learned."""
Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Network:
    """A network to disturb the inputs of."""

    name: str
    """As typed."""
    measurable: Measurable

    @property
    def form(self) -> Form:
        """The form of its inputs."""
        return form_of(self.measurable.trained)

    def check(self, sweeps: Sequence[Sweep]) -> None:
        """Raise a FaultError unless all disturbances fit its inputs."""
        shape = self.measurable.trained.experiment.data.whole().shape
        for sweep in sweeps:
            sweep.check(shape, self.form)


@dataclass(frozen=True, slots=True)
class Curve:
    """The quality of a network against the strength of a disturbance."""

    network: str
    head: str
    """The head that is measured; empty without heads."""
    disturbance: str
    unit: str
    """What strengths are measured in."""
    metric: str
    """The kind of the metric."""
    strengths: tuple[float, ...]
    values: tuple[float | None, ...]

    @property
    def number(self) -> Number:
        """The metric."""
        metric = METRICS[self.metric]()
        assert isinstance(metric, Number)  # as all of MAIN are
        return metric

    @property
    def axis(self) -> str:
        """The disturbance with its unit."""
        return f"{self.disturbance} ({self.unit})"

    @property
    def points(self) -> list[tuple[float, float | None]]:
        """Strengths and values."""
        return [*zip(self.strengths, self.values, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "source": self.network,
            **({"head": self.head} if self.head else {}),
            "disturbance": self.disturbance,
            "unit": self.unit,
            "metric": self.metric,
            "points": [{"strength": each, "value": value} for each, value in self.points],
        }


@dataclass(frozen=True, slots=True)
class Robustness:
    """How networks stand disturbances."""

    curves: tuple[Curve, ...]
    """By disturbance, then by network."""
    without_gradient: Mapping[str, float]
    """The share of each attacked network's samples that attacks cannot change, as their loss has no
    gradient; by name."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        curves = [curve.to_json() for curve in self.curves]
        return {"curves": curves, "without_gradient": dict(self.without_gradient)}


def passes(sweeps: Sequence[Sweep]) -> int:
    """How often each sample is measured."""
    attacks = any(sweep.disturbance.is_attack for sweep in sweeps)
    return 1 + attacks + sum(len(sweep.strengths) - 1 for sweep in sweeps)


def measure(
    networks: Sequence[Network], sweeps: Sequence[Sweep], *, seed: int, advance: Advance
) -> Robustness:
    """Measure each network on its samples, disturbed in all these ways.

    What is drawn depends on the seed, the disturbance and the sample, not on network or strength.
    `advance` is told how many samples are done, `passes` times each.

    Raises:
        FaultError: a disturbance does not fit; a network under attack has no gradient; or memory
            runs out.
    """
    for network in networks:
        network.check(sweeps)
    disturbing = [_Disturbing.of(network, advance) for network in networks]
    attacked = disturbing if any(sweep.disturbance.is_attack for sweep in sweeps) else []
    vanished = {each.network.name: each.without_gradient() for each in attacked}
    curves = {
        (sweep.disturbance.kind, number): own.curves(sweep, seed=seed)
        for number, own in enumerate(disturbing)
        for sweep in sweeps
    }
    ordered = (
        curves[sweep.disturbance.kind, number]
        for sweep in sweeps
        for number in range(len(networks))
    )
    return Robustness(tuple(curve for some in ordered for curve in some), vanished)


@dataclass(frozen=True, slots=True)
class _Disturbing:
    """A network, measured undisturbed."""

    network: Network
    units: Units
    clean: Mapping[str, float | None]
    """The metric of each head."""
    advance: Advance

    @classmethod
    def of(cls, network: Network, advance: Advance) -> _Disturbing:
        measurable = network.measurable
        blocks = (inputs[: len(targets)] for inputs, targets in measurable.blocks())
        units = Units.of(measurable.trained, blocks)
        clean = _metrics(measurable, measurable.blocks())
        advance(measurable.samples)
        return cls(network, units, clean, advance)

    def curves(self, sweep: Sweep, *, seed: int) -> Iterator[Curve]:
        """The curve of each head."""
        found = [self.clean]
        for strength in sweep.strengths[1:]:
            blocks = self._disturbed(sweep.disturbance, strength, seed=seed)
            found.append(_metrics(self.network.measurable, blocks))
        tasks = {task.name: task for task in self.network.measurable.trained.tasks}
        return (
            Curve(
                network=self.network.name,
                head=head,
                disturbance=sweep.disturbance.kind,
                unit=sweep.disturbance.units[self.network.form],
                metric=MAIN[tasks[head].target.kind],
                strengths=sweep.strengths,
                values=tuple(values[head] for values in found),
            )
            for head in self.clean
        )

    def without_gradient(self) -> float:
        """The share of samples whose loss has no gradient.

        Raises:
            FaultError: no sample has one.
        """
        measurable, count = self.network.measurable, 0
        for inputs, targets in measurable.blocks():
            values = self.units.values(inputs[: len(targets)])
            slopes = self._gradient(targets)(values)
            count += int((slopes.flatten(1) == 0).all(dim=1).sum())
            self.advance(len(targets))
        if count == measurable.samples:
            message = f"{self.network.name}: the loss has no gradient at any input"
            hint = "attacks need one: disturb by noise instead, or leave out layers such as step"
            raise config_fault(message, hint=hint)
        return count / measurable.samples

    def _gradient(self, targets: Tensor) -> Callable[[Tensor], Tensor]:
        trained = self.network.measurable.trained
        return loss_gradient(trained.network, trained.tasks, self.units, targets)

    def _disturbed(
        self, disturbance: Disturbance, strength: float, *, seed: int
    ) -> Iterator[Batch]:
        """The blocks of the split with disturbed inputs; those that fill a block up stay."""
        measurable = self.network.measurable
        parts = torch.split(measurable.batches.positions, measurable.batch_size)
        for rows, (inputs, targets) in zip(parts, measurable.blocks(), strict=True):
            count = len(targets)
            chance = Chance(seed, disturbance.kind, rows.tolist(), inputs.device)
            values = self.units.values(inputs[:count])
            batch = Sampled(values, self.units, chance, self._gradient(targets))
            changed = self.units.inputs(disturbance.apply(batch, strength))
            yield torch.cat([changed, inputs[count:]]), targets
            self.advance(count)


def _metrics(measurable: Measurable, blocks: Iterator[Batch]) -> dict[str, float | None]:
    """The followed metric of each head, or of the network under an empty name."""
    result = measurable.measure(blocks).result
    tasks = {task.name: task for task in measurable.trained.tasks}
    heads = result.heads if isinstance(result, Heads) else {"": result}
    return {name: head.found[MAIN[tasks[name].target.kind]] for name, head in heads.items()}
