"""Weights that are updated by the same formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnctl.tracing.facts import StepFacts, WeightFacts

MOST_NAMED = 4
"""Weights that are named in a title."""


@dataclass(frozen=True, slots=True)
class UpdateBlock:
    """Weights that are updated by the same formulas."""

    title: str
    """The optimizer and its rate."""
    formulas: list[str]
    """In order; a single one without its symbol: `W - 0.5 dW`."""
    weights: list[WeightFacts]

    @property
    def is_short(self) -> bool:
        """Whether it has the formula of the new weight alone."""
        return len(self.formulas) == 1 and " = " not in self.formulas[0]


def update_blocks(step: StepFacts) -> list[UpdateBlock]:
    """The updated weights of a step, those with the same formulas together."""
    grouped: dict[tuple[tuple[str, str], ...], list[WeightFacts]] = {}
    for weight in step.weights:
        if weight.gradient is not None:
            terms = [*weight.added, *weight.terms]
            key = tuple((term.symbol, term.formula) for term in terms)
            grouped.setdefault(key, []).append(weight)
    blocks = list[UpdateBlock]()
    for key, weights in grouped.items():
        formulas = [f"{symbol} = {formula}" for symbol, formula in key]
        if len(key) == 1 and key[0][0] == "W":
            formulas = [key[0][1]]
        title = step.optimizer
        if len(grouped) > 1:
            title = f"{title} ({_named(weights)})"
        blocks.append(UpdateBlock(title, formulas, weights))
    return blocks


def _named(weights: Sequence[WeightFacts]) -> str:
    names = [weight.name for weight in weights]
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def in_order(weights: Sequence[WeightFacts]) -> list[WeightFacts]:
    """From the last layer to the first, as the gradients come; W before b."""
    layers = list(dict.fromkeys(weight.layer for weight in weights))
    return sorted(weights, key=lambda weight: -layers.index(weight.layer))
