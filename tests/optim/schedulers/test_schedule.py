import json
from typing import Any

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
    assert fault.cure


def test_what_fits_the_run_is_no_fault() -> None:
    Scheduler.read({"name": "cosine", "warmup": 9, "eta_min": 0.1}).check(epochs=10, lr=0.1)
