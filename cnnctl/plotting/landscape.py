"""What a network computes along a line or on a plane, and the samples there: the facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Axis:
    """A coordinate that is drawn, from low to high."""

    name: str
    low: float
    high: float

    def values(self, count: int) -> Tensor:
        """Evenly spaced values, (count,)."""
        return torch.linspace(self.low, self.high, count)

    def joined(self, other: Axis) -> Axis:
        """The axis that shows both."""
        return Axis(self.name, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class ShownSamples:
    """Samples on a plane."""

    names: tuple[str, ...]
    places: Tensor
    """(N, 2), or (N, 1) on a line."""
    targets: Tensor
    """The class (N,) int64; or a label of 0 and 1, or a value, (N,) float32."""
    answers: Tensor
    """What the network answers, in the same form."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """The answers of a network on a plane or a line."""

    title: str
    axes: tuple[Axis, ...]
    """The horizontal one, and the vertical one of a plane."""
    classes: tuple[str, ...]
    """The classes that are told apart; none for a single quantity."""
    quantity: str
    """What the answers are: `probability`, or the name of a label or value."""
    answers: Tensor | None
    """(rows, columns, K), from the bottom, or (columns, K): the probability of each class, or a
    quantity. None within a block, where the network does not go on from the plane."""
    samples: ShownSamples
    remarks: tuple[str, ...] = ()
    grid: tuple[Tensor, ...] = ()
    """Lines (n, 2): the images of straight lines in the plane of the inputs."""

    @property
    def is_line(self) -> bool:
        """Whether there is one axis."""
        return len(self.axes) == 1

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest quantity, of answers and samples."""
        known = [self.samples.targets.float()]
        known += [] if self.answers is None else [self.answers.flatten()]
        values = torch.cat(known)
        values = values[values.isfinite()]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        return (low, high) if low < high else (low - 0.5, high + 0.5)

    def to_json(self) -> dict[str, Any]:
        """The facts as plain data; the answers of classes are the likeliest and its probability."""
        shape = () if self.answers is None else self.answers.shape[:-1]
        return {
            "title": self.title,
            "axes": [
                {"name": axis.name, "low": axis.low, "high": axis.high, "points": count}
                for axis, count in zip(self.axes, reversed(shape), strict=False)
            ],
            "quantity": self.quantity,
            "classes": list(self.classes),
            **self._answers_to_json(),
            "samples": self._samples_to_json(),
            "remarks": list(self.remarks),
        }

    def _answers_to_json(self) -> dict[str, Any]:
        if self.answers is None:
            return {"answers": None}
        if not self.classes:
            return {"answers": plain(self.answers[..., 0])}
        best = self.answers.max(dim=-1)
        return {"answers": best.indices.tolist(), "probability": plain(best.values)}

    def _samples_to_json(self) -> list[dict[str, Any]]:
        shown = self.samples
        rows = zip(
            shown.names,
            plain(shown.places),
            plain(shown.targets),
            plain(shown.answers),
            strict=True,
        )
        return [
            {"name": name, "at": at, "target": target, "answer": answer}
            for name, at, target, answer in rows
        ]


def plain(values: Tensor) -> list[Any]:
    """Numbers of any shape as lists, with six digits; None where they are not finite."""
    if values.ndim > 1:
        return [plain(each) for each in values]
    return [_number(each) for each in values.tolist()]


def _number(value: float) -> float | None:
    if isinstance(value, int):
        return value
    return float(f"{value:.6g}") if abs(value) < float("inf") else None
