"""Computations term by term, as they are worked by hand: of a loss, and of an optimizer's step.

A kind of loss or of optimizer describes its own; `cnnctl trace` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Term:
    """An intermediate result: `v = 0.9 v + dW`, and its value."""

    symbol: str
    formula: str
    """How it is computed from earlier symbols, with the numbers of the options."""
    value: Tensor


@dataclass(slots=True)
class Update:
    """A weight before a step of its optimizer, and the terms of the step so far."""

    weight: Tensor
    gradient: Tensor
    """Including penalties, clipped."""
    settings: Mapping[str, Any]
    """Those of its parameter group, such as `lr`."""
    state: Mapping[str, Any]
    """What the optimizer keeps for it; empty before the first step."""
    symbol: str = "dW"
    """What formulas call the gradient."""
    terms: list[Term] = field(default_factory=list)

    @property
    def step(self) -> int:
        """The number of this step, from 1."""
        return int(self.state.get("step", 0)) + 1

    def kept(self, name: str) -> Tensor:
        """A tensor of the state before the step; zeros at first."""
        kept = self.state.get(name)
        return torch.zeros_like(self.weight) if kept is None else kept

    def term(self, symbol: str, formula: str, value: Tensor) -> Tensor:
        """Add a term; returns its value."""
        self.terms.append(Term(symbol, formula, value))
        return value

    def average(self, symbol: str, name: str, share: float, *, squared: bool = False) -> Tensor:
        """Add the moving average of the gradient, or of its square, that the state has as `name`.

        share: that of the earlier average.
        """
        added = self.gradient**2 if squared else self.gradient
        of = f"{self.symbol}²" if squared else self.symbol
        formula = f"{share:g} {symbol} + {1 - share:g} {of}"
        return self.term(symbol, formula, share * self.kept(name) + (1 - share) * added)

    def decay(self) -> None:
        """Add the weight decay to the gradient, if there is one."""
        if decay := self.settings["weight_decay"]:
            formula = f"{self.symbol} + {decay:g} W"
            self.gradient = self.term("g", formula, self.gradient + decay * self.weight)
            self.symbol = "g"

    def shrink(self, by: float, *, formula: str) -> None:
        """Multiply the weight by 1 - `by`, if that changes it."""
        if by:
            self.weight = self.term("W", f"(1 - {formula}) W", (1 - by) * self.weight)

    def decay_apart(self) -> None:
        """Shrink the weight by the weight decay, apart from the gradient."""
        lr, decay = self.settings["lr"], self.settings["weight_decay"]
        self.shrink(lr * decay, formula=f"{lr:g} · {decay:g}")

    def move(self, formula: str, change: Tensor) -> None:
        """Add the last term: the weight, changed by this."""
        self.term("W", f"W - {formula}", self.weight - change)


@dataclass(frozen=True, slots=True)
class Part:
    """A summand of a loss."""

    formula: str
    """With `{}` for each of its numbers: `{}²`."""
    numbers: tuple[float, ...]
    value: float


def mean_of(formula: str, outputs: int) -> str:
    """The mean over the outputs whose sum this formula is."""
    return f"1/{outputs} {formula}" if outputs > 1 else formula


@dataclass(slots=True)
class LossWorking:
    """The loss of one sample, term by term."""

    formula: str
    """From the symbols of its terms, of the outputs z or y and of the target t."""
    terms: list[Term] = field(default_factory=list)
    """Intermediate results, such as probabilities; (outputs,) each."""
    parts: list[Part] = field(default_factory=list)
    """None if they are not known."""
    divisor: float = 1.0
    """What their sum is divided by."""

    def add(self, formula: str, *numbers: float, value: float) -> None:
        """Add a summand."""
        self.parts.append(Part(formula, numbers, value))

    def add_logarithm(self, share: float, log: float, *, weight: float = 1.0) -> None:
        """Add minus the logarithm of a share, with a weight; nothing if that is 0."""
        if weight == 1:
            self.add("-ln {}", share, value=-log)
        elif weight:
            self.add(f"-{weight:g} · ln {{}}", share, value=-weight * log)
