"""Networks with given weights, and their traces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from cnnctl.subject import Subject, open_subject
from cnnctl.tracing.facts import StepFacts, Trace
from cnnctl.tracing.gather import Request, gather

Array = NDArray[np.float64]
Weights = Mapping[str, Any]


@pytest.fixture(autouse=True)
def always_as_before(as_before: None) -> None:
    """Opening a subject sets up its process, which here is that of all tests."""


def subject_of(folder: Path, experiment: Mapping[str, Any], weights: Weights) -> Subject:
    """The network of this experiment, with these weights in place of its own."""
    path = folder / "worked.yaml"
    path.write_text(yaml.safe_dump(dict(experiment)), encoding="utf-8")
    subject = open_subject(path, device="cpu")
    state = subject.trained.network.state_dict()
    for name, values in weights.items():
        state[name].copy_(torch.as_tensor(np.array(values)))
    return subject


def traced(subject: Subject, **options: Any) -> Trace:
    """The trace of the first training sample."""
    return gather(subject, subject.chosen([0], "train"), Request(**options))


def values(step: StepFacts, layer: str, symbol: str, *, back: bool = False) -> Array:
    """The tensor of a row."""
    rows = step.backward if back else step.forward
    [found] = [row for row in rows if (row.layer, row.symbol) == (layer, symbol)]
    return found.value.numpy().astype(np.float64)


def weight(step: StepFacts, name: str) -> dict[str, Array]:
    """The gradient, the terms and the new value of a parameter, `linear1 W`."""
    [found] = [each for each in step.weights if each.name == name]
    assert found.gradient is not None
    terms = {term.symbol: term.value for term in [*found.added, *found.terms]}
    every = {**terms, "gradient": found.gradient, "before": found.before, "after": found.after}
    return {key: value.numpy().astype(np.float64) for key, value in every.items()}
