"""Where the learning rate changes, and how steps are counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnctl.config.source import parse_source
from cnnctl.experiment import complete
from cnnctl.plotting.schedule import Phase, Schedule, chart_of, report, schedule_of
from tests.conftest import invoke


def schedule(*overrides: str) -> Schedule:
    model = "model: {layers: [flatten, {linear: classes}]}"
    text = f"{{data: digits, {model}, optimizer: {{name: sgd, lr: 0.5}}}}"
    return schedule_of(complete(parse_source(text, Path("x.yaml")), "x", overrides))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], "1,293 samples / 64 = 21 steps per epoch, 210 in 10 epochs"),
        (["data.drop_last=true"], "1,293 samples / 64 = 20 steps per epoch, 200 in 10 epochs"),
        (
            ["train.accumulate=4", "train.epochs=1"],
            "1,293 samples / 64 = 21 batches, 4 per step = 6 steps per epoch, 6 in 1 epoch",
        ),
        (["data.batch_size=all"], "1,293 samples / 1,293 = 1 step per epoch, 10 in 10 epochs"),
    ],
)
def test_steps_are_counted(overrides: list[str], expected: str) -> None:
    assert next(report(schedule(*overrides))) == expected


def test_steps_of_the_rate_are_listed() -> None:
    found = schedule("scheduler={name: step, step_size: 4}")
    assert list(report(found))[1:] == [
        "learning rate: 0.5 in epochs 1 to 4",
        "learning rate: 0.05 in epochs 5 to 8",
        "learning rate: 0.005 in epochs 9 to 10",
    ]
    assert found.phases[1] == Phase("constant", 5, 8, 85, 168, 0.05, 0.05)


def test_a_warm_up_rises_and_a_cosine_falls() -> None:
    found = schedule("scheduler={name: cosine, warmup: 2}")
    assert [(phase.trend, phase.first_epoch, phase.last_epoch) for phase in found.phases] == [
        *(("rising", 1, 3), ("falling", 3, 10)),
    ]
    assert found.phases[0].end == found.phases[1].start == 0.5


def test_a_change_at_every_epoch_is_one_phase() -> None:
    [phase] = schedule("scheduler={name: exponential, gamma: 0.5}").phases
    assert (phase.trend, phase.start) == ("falling", 0.5)
    assert phase.end == pytest.approx(0.5**10)


def test_one_step_has_one_rate() -> None:
    [phase] = schedule("data.batch_size=all", "train.epochs=1").phases
    assert phase == Phase("constant", 1, 1, 1, 1, 0.5, 0.5)


def test_rates_of_groups_have_lines_of_their_own() -> None:
    found = schedule("optimizer.groups=[{match: '*.bias', lr: 0.1}]", "train.epochs=1000")
    first, group = chart_of(found).series
    assert (first.name, group.name) == ("lr", "lr of group 1")
    assert group.points[0] == (0.0, 0.1)
    assert len(first.points) <= 2001


def test_check_draws_the_schedule(tiny: Path) -> None:
    done = invoke("check", tiny, "--schedule", COLUMNS="70")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert lines[0] == "Learning rate"
    assert "1,293 samples / 128 = 11 steps per epoch, 22 in 2 epochs" in lines
    assert lines[-1].endswith("no problems found")


def test_check_has_the_schedule_as_json(tiny: Path) -> None:
    [found] = json.loads(invoke("check", tiny, "--schedule", "--json").stdout)
    shown: dict[str, Any] = found["schedule"]
    assert (shown["samples"], shown["steps_per_epoch"], shown["steps"]) == (1293, 11, 22)
    assert shown["rates"] == [{"epoch": 1, "lr": 0.1}, {"epoch": 2, "lr": 0.1}]
    assert json.loads(invoke("check", tiny, "--json").stdout)[0]["schedule"] is None
