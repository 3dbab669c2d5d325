from typing import Any

import pytest
from torch.optim import lr_scheduler as theirs

SPE = 7

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


def test_multi_step_halves_at_50_100_and_160(make_run: Any) -> None:
    seen = make_run(epochs=200).ours(
        {"name": "multi_step", "milestones": [50, 100, 160], "gamma": 0.5}
    )
    by_epoch = [group["lr"] for group in seen[::SPE]]
    assert by_epoch == [0.3] * 50 + [0.15] * 50 + [0.075] * 60 + [0.0375] * 40


def test_exponential_is_a_power_of_gamma(run: Any) -> None:
    by_epoch = [group["lr"] for group in run.ours({"name": "exponential", "gamma": 0.9})[::SPE]]
    assert by_epoch == pytest.approx([0.3 * 0.9**epoch for epoch in range(12)], rel=1e-12)
