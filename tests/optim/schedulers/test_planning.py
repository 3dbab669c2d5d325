"""Schedules of runs that take fewer steps than all: where each step is in the whole schedule."""

from __future__ import annotations

import pytest

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.experiment.spec import Train
from cnnctl.optim.schedulers.planning import PlannedSteps, scheduled_step


def planned(*plans: tuple[int, int]) -> list[PlannedSteps]:
    return [PlannedSteps(after=after, total=total) for after, total in plans]


def test_without_a_plan_every_step_is_its_own() -> None:
    assert [scheduled_step(step, [], steps=7) for step in range(7)] == list(range(7))


def test_the_rest_of_a_schedule_is_spread_over_the_planned_steps() -> None:
    # 101 steps; after 20, there is time for 61 in all: 80 remaining ones in 40
    places = [scheduled_step(step, planned((20, 61)), steps=101) for step in range(61)]
    assert places[:21] == list(range(21))
    assert places[21:] == [20 + 2 * more for more in range(1, 41)]


def test_a_later_plan_goes_on_from_where_the_schedule_is() -> None:
    plan = planned((20, 61), (40, 81))
    places = [scheduled_step(step, plan, steps=101) for step in range(81)]
    assert places[40] == 60  # as the first plan had it
    assert places[41:] == [60 + more for more in range(1, 41)]


def test_an_end_that_comes_at_once_is_that_of_the_schedule() -> None:
    assert scheduled_step(20, planned((20, 21)), steps=101) == 100


def test_a_plan_beyond_all_steps_takes_all() -> None:
    assert scheduled_step(50, planned((20, 900)), steps=101) == 50


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ([{"after": 5, "total": 9}, {"after": 5, "total": 8}], "does not increase"),
        ([{"after": 5, "total": 4}], "less than the 5 steps taken"),
    ],
)
def test_an_impossible_plan_is_a_fault(plan: list[dict[str, int]], message: str) -> None:
    with pytest.raises(FaultError, match=message):
        validate(Train, from_plain({"planned_steps": plan}, Place("test")))
