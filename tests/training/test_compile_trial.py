"""`train.compile: measure` tries both ways in turn, says what it found, and writes it down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl.data.loader import Batches
from cnnctl.errors import config_fault
from cnnctl.training import compile_trial
from cnnctl.training.compile_trial import Trial, measured_gains, median_interval, try_compile
from cnnctl.training.run import Run
from cnnctl.training.setup import Setup, SplitBatches
from cnnctl.training.step import Step
from tests.conftest import invoke
from tests.training.conftest import run_of, setup_of

CPU = torch.device("cpu")
MOONS: dict[str, Any] = {
    "data": {"name": "moons"},
    "model": {"layers": [{"linear": 4}, "relu", {"linear": 2}]},
}
BATCHES = [(torch.randn(8, 2), torch.randint(2, (8,))) for _ in range(5)]


class Few(Batches):
    def __init__(self) -> None:
        """Hold the five batches above."""

    def __len__(self) -> int:
        return len(BATCHES)

    def epoch(self, number: int, *, start: int = 0) -> Any:
        return iter(BATCHES)


def moons() -> Setup:
    """A setup whose batches are the five above."""
    return replace(setup_of(MOONS), batches=SplitBatches(Few(), None, None))


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with a C++ compiler."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: name)
    return monkeypatch


@pytest.mark.parametrize(
    ("gains", "compile", "found"),
    [
        ([1.3] * 8, True, "1.30x as fast (1.30 to 1.30)"),
        ([1.04] * 8, False, "1.04x as fast (1.04 to 1.04)"),
        ([0.6, 0.7] * 4, False, "0.65x as fast (0.60 to 0.70)"),
        # of 8 rounds, all have to be above 1.05
        ([*[1.3] * 7, 1.0], False, "1.30x as fast (1.00 to 1.30)"),
    ],
)
def test_what_is_faster_for_sure_is_chosen(
    compiler: pytest.MonkeyPatch, gains: list[float], compile: bool, found: str
) -> None:
    compiler.setattr(compile_trial, "measured_gains", lambda *steps, failures: gains)
    trial = try_compile(moons())
    assert trial == Trial(compile, f"compiled steps ran {found}", gains)


@pytest.mark.parametrize(
    ("count", "skipped"),
    # tables of the binomial: 2 P(X < k) <= 0.01 for k = 1 from n = 8, 2 from 12, 3 from 15 on
    [(1, 0), (8, 0), (11, 0), (12, 1), (14, 1), (15, 2), (30, 7)],
)
def test_the_interval_of_a_median_leaves_out_what_is_unlikely(count: int, skipped: int) -> None:
    values = [float(number) for number in range(count)]
    assert median_interval(values[::-1]) == (skipped, count - 1 - skipped)


@pytest.mark.parametrize(
    ("times", "rounds"),
    [
        (lambda turn: 2.0, compile_trial.FEWEST),
        (lambda turn: 0.5, compile_trial.FEWEST),
        # as often faster as slower: never sure
        (lambda turn: 2.0 if turn % 2 else 0.5, compile_trial.MOST),
        # one slow round of many does not matter
        (lambda turn: 0.5 if turn == 0 else 2.0, 12),
    ],
    ids=["faster", "slower", "neither", "outlier"],
)
def test_rounds_are_taken_until_it_is_sure(
    monkeypatch: pytest.MonkeyPatch, times: Callable[[int], float], rounds: int
) -> None:
    compiled: Any = object()
    calls = iter(range(10**6))

    def seconds(step: object, batches: object) -> float:
        return 1.0 / times(next(calls)) if step is compiled else 1.0

    monkeypatch.setattr(compile_trial, "_seconds_per_step", seconds)
    monkeypatch.setattr(compile_trial, "WARM_UP", 0)
    plain: Any = object()
    assert len(measured_gains(plain, compiled, BATCHES)) == rounds


def test_plain_and_compiled_steps_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    clock = iter(range(10**6))
    monkeypatch.setattr(compile_trial, "ROUND_SECONDS", 3)
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))

    class Counted:
        """A step that is noted; by the clock above each takes a second."""

        run = run_of(MOONS)

        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, batches: object) -> None:
            taken.append(self.name)

    plain: Any = Counted("plain")
    compiled: Any = Counted("compiled")
    assert measured_gains(plain, compiled, BATCHES) == [1.0] * compile_trial.FEWEST
    assert taken[:6] == ["plain"] * 3 + ["compiled"] * 3
    assert taken[6:] == (["plain"] * 3 + ["compiled"] * 3) * compile_trial.FEWEST


def test_real_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_trial, "ROUND_SECONDS", 0.01)
    steps = [compile_trial._step(run_of(MOONS)) for _ in range(2)]
    assert min(measured_gains(steps[0], steps[1], BATCHES)) > 0
    assert all(step.run.counters.step > compile_trial.WARM_UP for step in steps)


def test_without_a_compiler_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    trial = try_compile(moons())
    assert trial == Trial(False, "torch finds no compiler on this machine")


def test_a_compiler_that_fails_is_the_finding(compiler: pytest.MonkeyPatch) -> None:
    real = compile_trial._step

    def failing(run: Run, **more: Any) -> Step:
        if run.experiment.train.compile:
            more["failed"]("no headers")
            run = run_of(MOONS)
        return real(run)

    compiler.setattr(compile_trial, "_step", failing)
    assert try_compile(moons()) == Trial(False, "no headers")


def test_a_loss_that_is_not_finite_is_left_to_the_run(compiler: pytest.MonkeyPatch) -> None:
    def diverge(*steps: Step, failures: object) -> list[float]:
        raise config_fault("the loss is not finite")

    compiler.setattr(compile_trial, "measured_gains", diverge)
    trial = try_compile(moons())
    assert trial == Trial(False, "the loss was not finite")


@pytest.mark.usefixtures("broken_compiler")
def test_the_finding_is_printed_and_recorded(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    measured = ("train.compile=measure", "train.device=cpu")
    done = invoke("train", tiny, *measured)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"^train\.compile=measure: .+; not compiled$", done.stdout, re.M)
    run = re.search(r"run folder: (\S+)", done.stdout)
    assert run
    assert "compile: false" in (tiny.parent / run[1] / "config.yaml").read_text()
    recorded = json.loads((tiny.parent / run[1] / "environment.json").read_text())["compile_trial"]
    assert recorded["compile"] is False
    assert recorded["found"] in done.stdout.replace("\n", " ")
    # the file asks for a measurement still, and the run goes on with what was found
    again = invoke("train", tiny, *measured, "train.epochs=4", "--resume")
    assert again.exit_code == 0, again.stderr
    assert "train.compile" not in again.stdout
