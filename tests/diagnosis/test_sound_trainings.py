"""Trainings that go well have no warnings: forty small ones, and the shipped experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnnctl.diagnosis.gathering import before_training
from cnnctl.diagnosis.history import History
from cnnctl.diagnosis.hopeless import why_hopeless
from cnnctl.experiment import load
from cnnctl.training.setup import set_up
from tests.diagnosis.sound import experiments
from tests.diagnosis.trainings import facts_and_rows, trained, untrained, warnings_of

EVERY = list(experiments())
SHIPPED = {
    "digit-and-parity": [],
    "lenet": [],
    "mlp-spirals": [],
    "regression": [],
    "resnet-digits": [],
    "tdnn-waveform": [],
    "textbook-3-3-2-2": ["seed=2"],  # with its own, both of its units start dead
    "textbook-3-4-2": [],
}


def test_there_are_forty() -> None:
    assert len({name for name, _, _ in EVERY}) == len(EVERY) == 40


@pytest.mark.long
@pytest.mark.parametrize(
    ("plain", "least"), [(plain, least) for _, plain, least in EVERY], ids=[n for n, *_ in EVERY]
)
def test_a_training_that_goes_well_has_no_warning(plain: dict[str, Any], least: float) -> None:
    assert not warnings_of(untrained(plain))
    facts, rows = trained(plain)
    assert max(row["val_accuracy"] for row in rows) >= least
    assert not warnings_of(facts)
    told = [
        why_hopeless(History(rows[:count]), facts.yardstick, rate=0.0)
        for count in range(1, len(rows))
    ]
    assert not any(told)


@pytest.mark.long
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_has_no_warning(name: str) -> None:
    setup = set_up(load(Path(name), ["train.device=cpu", *SHIPPED[name]]))
    assert not warnings_of(before_training(setup, None))
    facts, _ = facts_and_rows(setup)
    assert not warnings_of(facts)


@pytest.mark.long
def test_the_textbook_network_whose_units_start_dead_is_told() -> None:
    setup = set_up(load(Path("textbook-3-3-2-2"), ["train.device=cpu"]))
    found = warnings_of(before_training(setup, None))
    assert {"dead units", "a few samples by heart"} <= found.keys()
