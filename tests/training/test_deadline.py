"""Training within `train.max_minutes`, by a clock that only the steps and epochs move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnnctl.checkpoint import Checkpoint
from cnnctl.run_files import EpochMetrics
from cnnctl.training.observers import Observer
from cnnctl.training.run import Run
from cnnctl.training.state import capture_last
from cnnctl.training.training import Training
from tests.training.conftest import setup_of

STEPS = 5
"""Steps of an epoch."""


class Clock(Observer):
    """Moves on by the time of each step and of the end of each epoch."""

    def __init__(self, step: Callable[[int], float], *, end: float = 0.0) -> None:
        self.now, self.step, self.end = 0.0, step, end
        self.rates: list[float] = []
        self.rows: list[EpochMetrics] = []
        self.run: Run | None = None

    def __call__(self) -> float:
        return self.now

    def stepped(self, run: Run) -> None:
        self.run = run
        self.now += self.step(run.counters.step)
        self.rates.append(run.optimizer.param_groups[0]["lr"])

    def epoch_ended(self, row: EpochMetrics) -> None:
        self.rows.append(row)
        self.now += self.end

    def stop_at(self, step: int) -> Callable[[], bool]:
        return lambda: self.run is not None and self.run.counters.step == step


def experiment(minutes: float | None, **train: Any) -> dict[str, Any]:
    return {
        "data": {"name": "moons", "samples": 40, "test_samples": 8, "batch_size": 8},
        "model": {"layers": [{"linear": 4}, "tanh", {"linear": "classes"}]},
        "scheduler": {"name": "linear", "start_factor": 1.0, "end_factor": 0.01},
        "train": {"epochs": 40, "max_minutes": minutes, **train},
    }


def trained(
    plain: dict[str, Any],
    clock: Clock,
    *,
    stop_at: int = -1,
    resumed: Checkpoint | None = None,
) -> Training:
    setup = setup_of(plain)
    stop = clock.stop_at(stop_at)
    training = Training(setup.assemble(), setup.batches, observers=[clock], stop=stop, clock=clock)
    if resumed is None:
        training.begin()
    else:
        training.resume(resumed)
    training.fit()
    return training


def test_without_a_limit_nothing_is_planned_and_no_time_is_counted() -> None:
    run = trained(experiment(None, epochs=3), Clock(lambda _: 1e6)).run
    assert (run.counters.step, run.counters.seconds) == (3 * STEPS, 0.0)
    assert run.experiment.train.planned_steps == []


def test_enough_time_is_all_epochs_with_the_rates_of_no_limit() -> None:
    free, limited = Clock(lambda _: 0.1), Clock(lambda _: 0.1)
    trained(experiment(None, epochs=8), free)
    run = trained(experiment(5.0, epochs=8), limited).run
    assert limited.rates == free.rates
    assert run.experiment.train.planned_steps == []


@pytest.mark.parametrize("end", [0.0, 4.0])
def test_training_ends_annealed_within_the_time(end: float) -> None:
    clock = Clock(lambda _: 1.0, end=end)
    run = trained(experiment(1.5), clock).run
    assert run.is_finished
    assert 0.85 * 90 < clock.now <= 90
    assert clock.rates[-1] < 0.03 * clock.rates[0]
    assert max(a - b for a, b in zip(clock.rates, clock.rates[1:], strict=False)) < 0.005
    assert clock.rows[-1]["epoch"] == run.counters.epoch


def test_a_slow_start_does_not_cost_epochs_and_a_slow_end_does() -> None:
    for pace in (lambda step: 3.0 if step <= 15 else 0.5, lambda step: 0.5 if step <= 60 else 2.0):
        clock = Clock(pace)
        trained(experiment(1.5), clock)
        assert 0.85 * 90 < clock.now <= 90
        assert clock.rates[-1] < 0.03 * clock.rates[0]


def test_a_first_step_that_compiles_is_not_taken_for_the_pace() -> None:
    clock = Clock(lambda step: 20.0 if step == 1 else 0.5)
    run = trained(experiment(1.5), clock).run
    assert run.counters.step > 110


def test_less_time_than_an_epoch_ends_annealed_and_measured_within_it() -> None:
    clock = Clock(lambda _: 20.0)
    run = trained(experiment(1.5), clock).run
    assert (run.counters.step, run.counters.epoch) == (3, 1)
    assert clock.rates[-1] < 0.02 * clock.rates[0]
    assert len(clock.rows) == 1
    assert clock.now <= 90


def test_a_step_is_taken_however_little_time_there_is() -> None:
    run = trained(experiment(0.001), Clock(lambda _: 20.0)).run
    assert (run.counters.step, run.counters.epoch, run.is_finished) == (1, 1, True)


def test_the_recorded_plan_alone_gives_the_same_bits() -> None:
    first = trained(experiment(1.0), Clock(lambda _: 1.0)).run
    plain = first.experiment.plain()
    assert plain["train"]["max_minutes"] is None
    assert plain["train"]["planned_steps"]
    second = trained(plain, Clock(lambda _: 9.0)).run
    assert second.counters.step == first.counters.step
    mine, other = first.network.state_dict(), second.network.state_dict()
    assert all(torch.equal(mine[name], other[name]) for name in mine)


def test_time_counts_over_resumes_and_plans_are_kept() -> None:
    clock = Clock(lambda _: 1.0)
    stopped = trained(experiment(1.0), clock, stop_at=33).run
    state, plan = capture_last(stopped), stopped.experiment.train.plan
    assert (clock.now, state.document["counters"]["seconds"]) == (33.0, 33.0)
    assert plan
    later = Clock(lambda _: 1.0)
    again = experiment(1.0, planned_steps=[each.model_dump() for each in plan])
    run = trained(again, later, resumed=state).run
    assert run.experiment.train.plan[: len(plan)] == plan
    assert 20 < later.now <= 27
    assert later.rates[0] == pytest.approx(clock.rates[-1], abs=0.05)
    assert later.rates[-1] < 0.02 * clock.rates[0]


def test_a_run_that_ended_within_an_epoch_is_read_back_as_finished() -> None:
    first = trained(experiment(1.5), Clock(lambda _: 20.0)).run
    again = trained(first.experiment.plain(), Clock(lambda _: 1.0), resumed=capture_last(first)).run
    assert (again.is_finished, again.counters.step) == (True, 3)


def test_layers_unfreeze_where_the_schedule_has_come_to_their_epoch() -> None:
    plain = experiment(1.0)
    plain["model"] |= {"freeze": ["linear1"], "unfreeze_at": 20}
    run = trained(plain, Clock(lambda _: 1.0)).run
    assert run.planned_epochs < 20
    assert all(parameter.requires_grad for parameter in run.network.parameters())
