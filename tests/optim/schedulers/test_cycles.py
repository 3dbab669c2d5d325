from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import optim
from torch.optim import lr_scheduler as theirs

from cnnctl.optim.schedulers import Position, Scheduler

SPE = 7
LR = 0.3
OPTIMIZERS = [
    {"kind": optim.SGD, "momentum": 0.9},
    {"kind": optim.Adam},
    {"kind": optim.RMSprop},
]
CYCLES = [
    ({}, {}),
    ({"three_phase": True, "pct_start": 0.4}, {"three_phase": True, "pct_start": 0.4}),
    (
        {"anneal_strategy": "linear", "div_factor": 10, "final_div_factor": 100},
        {"anneal_strategy": "linear", "div_factor": 10, "final_div_factor": 100},
    ),
    ({"base_momentum": 0.5, "max_momentum": 0.6}, {"base_momentum": 0.5, "max_momentum": 0.6}),
    ({"pct_start": 0.0}, {"pct_start": 0.0}),
]
TRIANGLES = [
    ({"step_size_up": 2}, {"step_size_up": 2 * SPE}),
    (
        {"step_size_up": 1, "step_size_down": 3, "mode": "triangular2"},
        {"step_size_up": SPE, "step_size_down": 3 * SPE, "mode": "triangular2"},
    ),
    (
        {"step_size_up": 2, "mode": "exp_range", "gamma": 0.8},
        {"step_size_up": 2 * SPE, "mode": "exp_range", "gamma": 0.8 ** (1 / SPE)},
    ),
    (
        {"base_momentum": 0.2, "max_momentum": 0.7},
        {"step_size_up": 2 * SPE, "base_momentum": 0.2, "max_momentum": 0.7},
    ),
]


def _momentum(group: dict[str, Any]) -> float:
    value: float = group["betas"][0] if "betas" in group else group["momentum"]
    return value


def _assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    for read in (lambda group: group["lr"], _momentum):
        assert [read(group) for group in ours] == pytest.approx(
            [read(group) for group in theirs], rel=1e-9
        )


@pytest.mark.parametrize(
    ("options", "start", "end", "peak"),
    [
        ({}, 0.2, 0.07, 0.23),
        ({"pct_start": 0.28, "start_factor": 1.0, "end_factor": 0.0}, 1.0, 0.0, 0.28),
    ],
)
def test_triangular_is_the_triangle_of_airbench(
    options: Any, start: float, end: float, peak: float, make_run: Any
) -> None:
    run = make_run()
    corners = [0, int(peak * run.steps), run.steps]  # as its function `triangle` has them
    wanted = LR * np.interp(np.arange(run.steps), corners, [start, 1, end])
    seen = [group["lr"] for group in run.ours({"name": "triangular", **options})]
    assert seen == pytest.approx(wanted.tolist(), rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    epochs=st.integers(1, 3),
    steps=st.integers(1, 4),
    pct_start=st.floats(0.001, 0.999),
    step=st.integers(0, 20),
)
def test_triangular_stays_within_its_bounds_however_short_the_run(
    epochs: int, steps: int, pct_start: float, step: int
) -> None:
    spec = Scheduler.read({"name": "triangular", "pct_start": pct_start})
    position = Position(step=step, steps_per_epoch=steps, epochs=epochs)
    assert 0.07 * LR * 0.999 <= spec.learning_rate(position, lr=LR) <= LR


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o["kind"].__name__)
@pytest.mark.parametrize(("options", "arguments"), CYCLES)
def test_one_cycle_moves_rate_and_momentum_as_torch_does(
    options: Any, arguments: Any, optimizer: Any, make_run: Any
) -> None:
    run = make_run(**optimizer)
    ours = run.ours({"name": "one_cycle", **options})
    _assert_same(
        ours, run.theirs(lambda o: theirs.OneCycleLR(o, LR, total_steps=run.steps, **arguments))
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o["kind"].__name__)
@pytest.mark.parametrize(("options", "arguments"), TRIANGLES)
def test_cyclic_moves_rate_and_momentum_as_torch_does(
    options: Any, arguments: Any, optimizer: Any, make_run: Any
) -> None:
    run = make_run(**optimizer)
    ours = run.ours({"name": "cyclic", "base_lr": 0.01, **options})
    _assert_same(ours, run.theirs(lambda o: theirs.CyclicLR(o, 0.01, LR, **arguments)))


@pytest.mark.parametrize("name", ["one_cycle", "cyclic"])
def test_momentum_stays_where_it_is_not_cycled(name: str, make_run: Any) -> None:
    options = {"base_lr": 0.1} if name == "cyclic" else {}
    run = make_run(momentum=0.7)
    seen = run.ours({"name": name, "cycle_momentum": False, **options})
    assert {group["momentum"] for group in seen} == {0.7}


@pytest.mark.parametrize("name", ["one_cycle", "cyclic"])
def test_an_optimizer_without_momentum_still_gets_its_rate(name: str, make_run: Any) -> None:
    options = {"base_lr": 0.1} if name == "cyclic" else {}
    seen = make_run(kind=optim.Adagrad).ours({"name": name, **options})
    assert max(group["lr"] for group in seen) == pytest.approx(LR, rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    steps_per_epoch=st.integers(1, 5),
    epochs=st.integers(1, 5),
    step=st.integers(0, 30),
    pct_start=st.floats(0, 1),
    three_phase=st.booleans(),
)
def test_one_cycle_stays_within_its_bounds_however_short_the_run(
    steps_per_epoch: int, epochs: int, step: int, pct_start: float, three_phase: bool
) -> None:
    spec = Scheduler.read({"name": "one_cycle", "pct_start": pct_start, "three_phase": three_phase})
    rate = spec.rate(Position(step, steps_per_epoch, epochs), lr=1.0)
    assert 1 / 25 / 1e4 * (1 - 1e-9) <= rate <= 1 + 1e-9
