"""A trace as plain data, for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from torch import Tensor

from cnnctl.optim.working import Term
from cnnctl.tracing.facts import LossFacts, Row, StepFacts, Trace, WeightFacts
from cnnctl.tracing.units import UnitWorking

MOST_NUMBERS = 1024
"""Numbers of a tensor that are given in full."""
CORNER = 3


def to_plain(trace: Trace) -> dict[str, Any]:
    """The trace as plain data; tensors beyond `MOST_NUMBERS` as shape, range, mean and corner."""
    return {
        "name": trace.name,
        "sample": trace.sample,
        "mode": trace.mode,
        "notes": trace.notes,
        "steps": [_step(step) for step in trace.steps],
    }


def _step(step: StepFacts) -> dict[str, Any]:
    return {
        "step": step.number,
        "forward": [_row(row) for row in step.forward],
        "losses": [_loss(loss) for loss in step.losses],
        "penalties": [
            {"name": each.name, "formula": each.formula, "value": each.value}
            for each in step.penalties
        ],
        "total": step.total,
        "backward": [_row(row) for row in step.backward],
        "clipping": [
            {"formula": each.formula, "before": each.before, "factor": each.factor}
            for each in step.clippings
        ],
        "optimizer": step.optimizer,
        "rate": step.rate,
        "evaluations": step.evaluations,
        "weights": [_weight(weight) for weight in step.weights],
        "unit": step.unit and _unit(step.unit),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "layer": row.layer,
        "role": row.role,
        "symbol": row.symbol,
        "formula": row.formula,
        **_tensor(row.value),
    }


def _loss(loss: LossFacts) -> dict[str, Any]:
    working = loss.working
    return {
        "task": loss.task,
        "kind": loss.kind,
        "weight": loss.weight,
        "value": loss.value,
        "target": numbers_of(loss.target),
        "class": loss.target_name or None,
        "formula": working.formula,
        "terms": _terms(working.terms),
        "parts": [
            {"formula": part.formula, "numbers": list(part.numbers), "value": part.value}
            for part in working.parts
        ],
        "divisor": working.divisor,
    }


def _terms(terms: Sequence[Term]) -> list[dict[str, Any]]:
    return [
        {"symbol": term.symbol, "formula": term.formula, **_tensor(term.value)} for term in terms
    ]


def _weight(weight: WeightFacts) -> dict[str, Any]:
    return {
        "layer": weight.layer,
        "letter": weight.letter,
        "gradient": None if weight.gradient is None else _tensor(weight.gradient),
        "added": _terms(weight.added),
        "terms": _terms(weight.terms),
        "before": _tensor(weight.before),
        "after": _tensor(weight.after),
        "average": _terms([weight.average])[0] if weight.average else None,
    }


def _unit(unit: UnitWorking) -> dict[str, Any]:
    return {
        "layer": unit.layer,
        "index": list(unit.index),
        "inputs": numbers_of(unit.inputs),
        "factors": None if unit.factors is None else numbers_of(unit.factors),
        "are_derivatives": unit.is_derivative,
        "bias": _shortest(unit.bias),
        "positions": [list(position) for position in unit.positions],
        "corner": list(unit.corner),
        "winner": list(unit.winner),
        "output": _shortest(unit.output),
        "delta": _shortest(unit.delta),
        "weights": {
            letter: {
                "gradient": numbers_of(gradient),
                "before": numbers_of(before),
                "after": numbers_of(after),
            }
            for letter, (gradient, before, after) in unit.weight_rows.items()
        },
    }


def _tensor(value: Tensor) -> dict[str, Any]:
    shape = list(value.shape)
    if value.numel() <= MOST_NUMBERS:
        return {"shape": shape, "values": numbers_of(value)}
    corner = value[tuple(0 if n < len(shape) - 2 else slice(CORNER) for n in range(len(shape)))]
    return {
        "shape": shape,
        "min": numbers_of(value.amin()),
        "max": numbers_of(value.amax()),
        "mean": numbers_of(value.mean()),
        "zeros": 1 - int(value.count_nonzero()) / value.numel(),
        "corner": numbers_of(corner),
    }


def numbers_of(value: Tensor) -> Any:
    """A tensor as nested lists; each number in the fewest digits that are this float32."""
    if not value.is_floating_point():
        return value.tolist()
    array = value.numpy().astype(np.float32)
    words = array.ravel().astype("U32").tolist()
    numbers = np.array([_finite(float(word)) for word in words], dtype=object)
    return numbers.reshape(array.shape).tolist()


def _shortest(value: float | None) -> float | None:
    return None if value is None else _finite(float(str(np.float32(value))))


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
