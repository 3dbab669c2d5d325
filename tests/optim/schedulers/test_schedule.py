import json
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import optim
from torch.optim import lr_scheduler as theirs

from cnnctl.errors import FaultError
from cnnctl.optim.schedulers import Schedule, Scheduler

SPE = 7
LR = 0.3

MAINS = [
    ({"name": "constant"}, lambda o: theirs.LambdaLR(o, lambda _: 1.0)),
    ({"name": "cosine"}, lambda o: theirs.CosineAnnealingLR(o, 9 * SPE)),
    ({"name": "polynomial", "power": 2}, lambda o: theirs.PolynomialLR(o, 9 * SPE, 2)),
    ({"name": "step", "step_size": 4}, lambda o: theirs.StepLR(o, 4 * SPE)),
]


@pytest.mark.parametrize(
    ("main", "build"), MAINS, ids=lambda v: v["name"] if isinstance(v, dict) else None
)
def test_a_warm_up_goes_before_as_torchs_sequence_has_it(main: Any, build: Any, run: Any) -> None:
    def sequence(optimizer: optim.Optimizer) -> theirs.LRScheduler:
        rise = theirs.LinearLR(optimizer, start_factor=0.1, total_iters=3 * SPE)
        return theirs.SequentialLR(optimizer, [rise, build(optimizer)], milestones=[3 * SPE])

    expected = [group["lr"] for group in run.theirs(sequence)]
    ours = [group["lr"] for group in run.ours({**main, "warmup": 3})]
    assert ours == pytest.approx(expected, rel=1e-9)


def test_a_warm_up_leads_up_to_the_first_rate_of_what_follows(run: Any) -> None:
    rates = [group["lr"] for group in run.ours({"name": "one_cycle", "warmup": 2})]
    assert rates[0] == pytest.approx(0.1 * LR / 25)
    assert rates[2 * SPE] == pytest.approx(LR / 25)
    assert rates[2 * SPE - 1] < rates[2 * SPE] < rates[2 * SPE + 1]
    assert rates[-1] == pytest.approx(LR / 25 / 1e4)


def test_a_number_of_epochs_is_short_for_a_warm_up() -> None:
    short = Scheduler.read({"name": "cosine", "warmup": 5})
    assert short == Scheduler.read({"name": "cosine", "warmup": {"epochs": 5}})
    assert short.written()["warmup"] == {"epochs": 5, "start_factor": 0.1}


@pytest.mark.parametrize("wrong", [0, -1, True, "5", 2.5, {"epochs": 5, "start_factor": 2}])
def test_what_is_no_warm_up_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        Scheduler.read({"name": "cosine", "warmup": wrong})


def test_every_group_moves_relative_to_its_own_rate() -> None:
    groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in (1.0, 0.1)]
    optimizer = optim.SGD(groups)
    spec = Scheduler.read({"name": "step", "step_size": 1, "gamma": 0.5})
    schedule = Schedule(spec, optimizer, steps_per_epoch=2, epochs=5)
    schedule.apply(5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.025]


def two_groups(**options: Any) -> optim.Optimizer:
    groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in (LR, 0.04)]
    return optim.SGD(groups, lr=LR, momentum=0.9, **options)


IN_GROUPS: list[tuple[Any, Any]] = [
    ("constant", lambda o: theirs.ConstantLR(o, 1.0)),
    ({"name": "step", "step_size": 2}, lambda o: theirs.StepLR(o, 2 * SPE)),
    (
        {"name": "multi_step", "milestones": [3, 8]},
        lambda o: theirs.MultiStepLR(o, [3 * SPE, 8 * SPE]),
    ),
    (
        {"name": "exponential", "gamma": 0.8, "interval": "step"},
        lambda o: theirs.ExponentialLR(o, 0.8 ** (1 / SPE)),
    ),
    (
        {"name": "cosine", "eta_min": 0.03},
        lambda o: theirs.CosineAnnealingLR(o, 12 * SPE, 0.03),
    ),
    (
        {"name": "cosine_restarts", "T_0": 2, "T_mult": 2, "eta_min": 0.03},
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 2 * SPE, 2, eta_min=0.03),
    ),
    ("linear", lambda o: theirs.LinearLR(o, total_iters=12 * SPE)),
    ({"name": "polynomial", "power": 2}, lambda o: theirs.PolynomialLR(o, 12 * SPE, 2)),
    (
        {"name": "inverse_sqrt", "warmup": {"epochs": 2, "start_factor": 1.0}},
        lambda o: theirs.LambdaLR(o, lambda step: min(1.0, (2 * SPE / max(step, 1)) ** 0.5)),
    ),
    (
        "one_cycle",
        lambda o: theirs.OneCycleLR(o, [LR, 0.04], total_steps=12 * SPE),
    ),
    (
        "triangular",
        lambda o: theirs.LambdaLR(o, lambda step: np.interp(step, [0, 19, 84], [0.2, 1, 0.07])),
    ),
    (
        {"name": "cyclic", "base_lr": 0.03, "step_size_up": 2},
        lambda o: theirs.CyclicLR(o, 0.03, [LR, 0.04], step_size_up=2 * SPE),
    ),
]


def test_every_kind_is_held_against_torch_in_groups() -> None:
    named = {written if isinstance(written, str) else written["name"] for written, _ in IN_GROUPS}
    assert named | {"plateau"} == set(Scheduler.kinds)


@pytest.mark.parametrize(
    ("written", "build"), IN_GROUPS, ids=lambda v: v["name"] if isinstance(v, dict) else str(v)[:9]
)
def test_groups_with_rates_of_their_own_move_as_torchs_do(written: Any, build: Any) -> None:
    ours, other = two_groups(), two_groups()
    schedule = Schedule(Scheduler.read(written), ours, steps_per_epoch=SPE, epochs=12)
    scheduler = build(other)
    for step in range(12 * SPE):
        schedule.apply(step)
        expected = [group["lr"] for group in other.param_groups]
        assert [g["lr"] for g in ours.param_groups] == pytest.approx(expected, rel=1e-7, abs=1e-15)
        other.step()
        scheduler.step()


@pytest.mark.parametrize("options", [{"min_lr": 0.03}, {"min_lr": 0.03, "eps": 0.02}])
def test_groups_on_a_plateau_move_as_torchs_do(options: dict[str, float]) -> None:
    ours, other = two_groups(), two_groups()
    spec = Scheduler.read({"name": "plateau", "patience": 0, "factor": 0.5, **options})
    schedule = Schedule(spec, ours, steps_per_epoch=1, epochs=12)
    scheduler = theirs.ReduceLROnPlateau(other, patience=0, factor=0.5, **options)  # type: ignore[arg-type]
    for step in range(12):
        schedule.apply(step)
        rates = [[group["lr"] for group in each.param_groups] for each in (ours, other)]
        assert rates[0] == pytest.approx(rates[1], rel=1e-9)
        schedule.end_epoch(1.0)
        scheduler.step(1.0)


def test_a_restored_optimizer_keeps_the_rate_it_started_with() -> None:
    spec = Scheduler.read({"name": "exponential", "gamma": 0.5})
    first = optim.SGD([torch.zeros(1)], lr=LR)
    Schedule(spec, first, steps_per_epoch=1, epochs=9).apply(3)
    second = optim.SGD([torch.zeros(1)], lr=LR)
    second.load_state_dict(first.state_dict())
    Schedule(spec, second, steps_per_epoch=1, epochs=9).apply(4)
    assert second.param_groups[0]["lr"] == pytest.approx(LR / 16)


def test_the_state_is_plain_data() -> None:
    optimizer = optim.SGD([torch.zeros(1)], lr=LR)
    schedule = Schedule(Scheduler.read("cosine"), optimizer, steps_per_epoch=1, epochs=9)
    state = schedule.state_dict()
    assert json.loads(json.dumps(state, allow_nan=False)) == state


@pytest.mark.parametrize(
    ("scheduler", "path"),
    [
        ({"name": "cosine", "warmup": 10}, ("warmup",)),
        ({"name": "cosine", "eta_min": 0.5}, ("eta_min",)),
        ({"name": "cosine_restarts", "T_0": 2, "eta_min": 0.5}, ("eta_min",)),
        ({"name": "inverse_sqrt", "warmup": 10}, ("warmup",)),
        ({"name": "plateau", "min_lr": 0.5}, ("min_lr",)),
        ({"name": "cyclic", "base_lr": 0.5}, ("base_lr",)),
    ],
)
def test_what_does_not_fit_the_run_is_a_fault_with_a_cure(
    scheduler: Any, path: tuple[str, ...]
) -> None:
    with pytest.raises(FaultError) as caught:
        Scheduler.read(scheduler).check(epochs=10, lr=0.1)
    (fault,) = caught.value.faults
    assert fault.path == path
    assert fault.hint


def test_what_fits_the_run_is_no_fault() -> None:
    Scheduler.read({"name": "cosine", "warmup": 9, "eta_min": 0.1}).check(epochs=10, lr=0.1)


def test_a_lowest_rate_above_that_of_a_group_is_a_fault() -> None:
    cosine = Scheduler.read({"name": "cosine", "eta_min": 0.05})
    cosine.check(epochs=10, lr=0.1, groups=[0.06])
    with pytest.raises(FaultError, match=r"a parameter group's learning rate of 0\.01"):
        cosine.check(epochs=10, lr=0.1, groups=[0.06, 0.01])
