from typing import Any

import pytest
from pydantic import ValidationError
from torch.optim import lr_scheduler as theirs

from cnnctl.optim.schedulers import Scheduler

SPE = 7
LR = 0.3

BY_EPOCH = [
    ({"name": "step", "step_size": 3}, lambda o: theirs.StepLR(o, 3)),
    ({"name": "step", "step_size": 5, "gamma": 0.7}, lambda o: theirs.StepLR(o, 5, 0.7)),
    (
        {"name": "multi_step", "milestones": [2, 7, 7, 9], "gamma": 0.5},
        lambda o: theirs.MultiStepLR(o, [2, 7, 7, 9], 0.5),
    ),
    ({"name": "exponential", "gamma": 0.9}, lambda o: theirs.ExponentialLR(o, 0.9)),
    ({"name": "cosine", "interval": "epoch"}, lambda o: theirs.CosineAnnealingLR(o, 12)),
    (
        {"name": "cosine", "T_max": 4, "eta_min": 0.01, "interval": "epoch"},
        lambda o: theirs.CosineAnnealingLR(o, 4, 0.01),
    ),
    (
        {"name": "cosine_restarts", "T_0": 2, "T_mult": 2, "interval": "epoch"},
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 2, 2),
    ),
    (
        {"name": "linear", "total_iters": 5, "interval": "epoch"},
        theirs.LinearLR,
    ),
    (
        {"name": "polynomial", "total_iters": 5, "interval": "epoch"},
        theirs.PolynomialLR,
    ),
]

BY_STEP = [
    ("constant", lambda o: theirs.LambdaLR(o, lambda _: 1.0)),
    (
        {"name": "exponential", "gamma": 0.9, "interval": "step"},
        lambda o: theirs.ExponentialLR(o, 0.9 ** (1 / SPE)),
    ),
    ("cosine", lambda o: theirs.CosineAnnealingLR(o, 12 * SPE)),
    (
        {"name": "cosine", "T_max": 5, "eta_min": 0.002},
        lambda o: theirs.CosineAnnealingLR(o, 5 * SPE, 0.002),
    ),
    (
        {"name": "cosine_restarts", "T_0": 3, "eta_min": 0.01},
        lambda o: theirs.CosineAnnealingWarmRestarts(o, 3 * SPE, eta_min=0.01),
    ),
    (
        {"name": "cosine_restarts", "T_0": 1, "T_mult": 3},
        lambda o: theirs.CosineAnnealingWarmRestarts(o, SPE, 3),
    ),
    ("linear", lambda o: theirs.LinearLR(o, total_iters=12 * SPE)),
    (
        {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 8},
        lambda o: theirs.LinearLR(o, 1.0, 0.0, 8 * SPE),
    ),
    ("polynomial", lambda o: theirs.PolynomialLR(o, 12 * SPE)),
    (
        {"name": "polynomial", "power": 2.5, "total_iters": 9},
        lambda o: theirs.PolynomialLR(o, 9 * SPE, 2.5),
    ),
]


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) else value["name"] if isinstance(value, dict) else None


def _assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    # torch multiplies from step to step, which leaves some rounding where zero is due
    expected = pytest.approx([group["lr"] for group in theirs], rel=1e-9, abs=1e-15)
    assert [group["lr"] for group in ours] == expected


@pytest.mark.parametrize(("scheduler", "build"), BY_EPOCH, ids=_name)
def test_rates_by_epoch_are_torchs(scheduler: Any, build: Any, run: Any) -> None:
    _assert_same(run.ours(scheduler), run.theirs(build, by_epoch=True))


@pytest.mark.parametrize(("scheduler", "build"), BY_STEP, ids=_name)
def test_rates_by_step_are_torchs(scheduler: Any, build: Any, run: Any) -> None:
    _assert_same(run.ours(scheduler), run.theirs(build))


@pytest.mark.parametrize(("epochs", "start_factor"), [(1, 0.1), (3, 1e-3), (11, 1.0)])
def test_inverse_sqrt_moves_as_fairseqs(epochs: int, start_factor: float, run: Any) -> None:
    """The loop of fairseq's inverse_square_root_schedule.py, with its names."""
    warmup_updates, warmup_init_lr = epochs * SPE, start_factor * LR
    lr_step = (LR - warmup_init_lr) / warmup_updates
    decay_factor = LR * warmup_updates**0.5
    expected = [
        warmup_init_lr + num_updates * lr_step
        if num_updates < warmup_updates
        else decay_factor * num_updates**-0.5
        for num_updates in range(12 * SPE)
    ]
    warmup = {"epochs": epochs, "start_factor": start_factor}
    seen = run.ours({"name": "inverse_sqrt", "warmup": warmup})
    assert [group["lr"] for group in seen] == pytest.approx(expected, rel=1e-12)


def test_inverse_sqrt_is_the_papers_up_to_its_scale(run: Any) -> None:
    # min(step^-0.5, step * warmup_steps^-1.5), which rises from zero, is warmup_steps^-0.5 at most
    warmup = {"epochs": 2, "start_factor": 1e-12}
    seen = run.ours({"name": "inverse_sqrt", "warmup": warmup})
    steps = 2 * SPE
    papers = [min(step**-0.5, step * steps**-1.5) for step in range(1, 12 * SPE)]
    rates = [group["lr"] / LR / steps**0.5 for group in seen[1:]]
    assert rates == pytest.approx(papers, rel=1e-9)


def test_inverse_sqrt_needs_a_warm_up() -> None:
    with pytest.raises(ValidationError, match="warmup"):
        Scheduler.read("inverse_sqrt")
    assert Scheduler.read({"name": "inverse_sqrt", "warmup": 3}) == Scheduler.read(
        {"name": "inverse_sqrt", "warmup": {"epochs": 3}}
    )


def test_multi_step_halves_at_50_100_and_160(make_run: Any) -> None:
    seen = make_run(epochs=200).ours(
        {"name": "multi_step", "milestones": [50, 100, 160], "gamma": 0.5}
    )
    by_epoch = [group["lr"] for group in seen[::SPE]]
    assert by_epoch == [0.3] * 50 + [0.15] * 50 + [0.075] * 60 + [0.0375] * 40


def test_exponential_is_a_power_of_gamma(run: Any) -> None:
    by_epoch = [group["lr"] for group in run.ours({"name": "exponential", "gamma": 0.9})[::SPE]]
    assert by_epoch == pytest.approx([0.3 * 0.9**epoch for epoch in range(12)], rel=1e-12)
