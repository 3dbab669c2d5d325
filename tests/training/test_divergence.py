"""What is not finite stops a training before it touches the weights, and before it is saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl import run_folder
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import Batches
from cnnctl.data.samples import Samples
from cnnctl.errors import ExitCode, FaultError
from cnnctl.optim.optimizers import Optimizer
from cnnctl.run_folder import RunFolder
from cnnctl.training.divergence import FiniteGuard
from cnnctl.training.recording import FolderStore
from cnnctl.training.run import Run
from cnnctl.training.setup import SplitBatches
from cnnctl.training.step import Step, make_step
from cnnctl.training.training import Training
from tests.training.conftest import run_of

FUSED = [
    kind
    for kind in sorted(Optimizer.kinds)
    if Optimizer.read(kind).build([{"params": [torch.zeros(1)]}], fused=True).defaults.get("fused")
]
"""The optimizers whose fused kernels read `found_inf`, on CPUs as on GPUs."""
NAN = float("nan")


def moons(**sections: Any) -> Run:
    layers = [{"linear": 5}, "relu", {"linear": "classes"}]
    return run_of({"data": {"name": "moons"}, "model": {"layers": layers}, **sections})


def deferred(run: Run) -> Step:
    """The step as it is on a GPU, where the host does not wait to see a loss."""
    guard = FiniteGuard(run.optimizer, run.device)
    guard.is_deferred = True
    run.optimizer.found_inf = torch.zeros(())  # type: ignore[attr-defined]
    return replace(make_step(run), guard=guard)


def batch(first: float = 1.0) -> list[tuple[Tensor, Tensor]]:
    return [(torch.tensor([[first, 2.0], [3.0, -1.0]]), torch.tensor([0, 1]))]


def state(run: Run) -> list[Tensor]:
    return [tensor.clone() for tensor in run.network.state_dict().values()]


def fault(error: FaultError) -> str:
    assert error.exit_code is ExitCode.DIVERGED
    return str(error)


def test_a_loss_that_is_not_finite_leaves_the_weights_alone() -> None:
    run = moons(optimizer={"name": "sgd", "lr": 0.25}, regularization={"ema": 0.9})
    step = make_step(run)
    step(batch())
    before = state(run)
    with pytest.raises(FaultError) as caught:
        step(batch(NAN))
    text = fault(caught.value)
    assert "the loss is not finite at step 2" in text
    assert "a lower optimizer.lr (now 0.25)" in text
    torch.testing.assert_close(state(run), before, rtol=0, atol=0)
    assert run.counters.step == 1


def test_a_penalty_that_is_not_finite_counts_as_the_loss() -> None:
    run = moons(regularization={"l2": 1e30})
    nn.init.constant_(run.network.get_parameter("linear1.weight"), 1e10)
    with pytest.raises(FaultError, match="not finite at step 1"):
        make_step(run)(batch())


@pytest.mark.parametrize("kind", FUSED)
def test_a_deferred_look_holds_back_every_step_from_the_bad_one_on(kind: str) -> None:
    run = moons(optimizer=kind, regularization={"ema": 0.9})
    step = deferred(run)
    step(batch())
    step(batch())
    before = state(run)
    for first in (NAN, 1.0, 1.0):
        step(batch(first))
    torch.testing.assert_close(state(run), before, rtol=0, atol=0)
    assert all(t.isfinite().all() for t in run.evaluated.state_dict().values())
    with pytest.raises(FaultError) as caught:
        step.guard.raise_if_diverged(run.counters.step)
    assert "the loss is not finite at step 3" in fault(caught.value)


@pytest.mark.parametrize("kind", FUSED)
def test_a_deferred_look_moves_finite_steps_as_a_look_at_each_does(kind: str) -> None:
    runs = [moons(optimizer=kind) for _ in range(2)]
    for run, step in zip(runs, (make_step(runs[0]), deferred(runs[1])), strict=True):
        for first in (1.0, -2.0, 0.5):
            step(batch(first))
        step.guard.raise_if_diverged(run.counters.step)
    torch.testing.assert_close(state(runs[0]), state(runs[1]), rtol=0, atol=0)


def test_only_a_fused_optimizer_off_the_cpu_is_looked_at_later() -> None:
    parameter = nn.Parameter(torch.ones(1, device="meta"))
    meta, cpu = torch.device("meta"), torch.device("cpu")
    fused = torch.optim.SGD([nn.Parameter(torch.ones(1))], fused=True)
    assert not FiniteGuard(fused, cpu).is_deferred
    assert FiniteGuard(fused, meta).is_deferred
    assert not FiniteGuard(torch.optim.RMSprop([parameter]), meta).is_deferred


def test_a_weight_that_is_not_finite_is_found_before_it_is_saved(tmp_path: Path) -> None:
    training, folder = training_of(moons(), tmp_path, batch_size=4)
    training.save()
    saved = folder.last.read_bytes()
    with torch.no_grad():
        training.run.network.get_parameter("linear2.weight")[0, 0] = NAN
    training.run.counters.step = 7
    with pytest.raises(FaultError) as caught:
        training.save()
    assert "a weight is not finite at step 7" in fault(caught.value)
    assert folder.last.read_bytes() == saved


def test_a_state_within_an_epoch_is_not_saved_after_a_bad_step(tmp_path: Path) -> None:
    training, folder = training_of(moons(train={"checkpoint_every": 1}), tmp_path, batch_size=1)
    training.step = deferred(training.run)
    training.step(batch(NAN))
    with pytest.raises(FaultError, match="not finite at step 1"):
        training.train_epoch()
    assert not folder.last.exists()


def test_an_evaluation_that_is_not_finite_ends_the_run_before_it_is_kept(tmp_path: Path) -> None:
    # the one step of the epoch has a finite loss, and makes weights whose outputs are not
    run = moons(optimizer={"name": "sgd", "lr": 1e30})
    training, folder = training_of(run, tmp_path, batch_size=4)
    with pytest.raises(FaultError) as caught:
        training.fit()
    assert "the evaluation loss is not finite at step 1" in fault(caught.value)
    assert not folder.best.exists()
    assert not folder.last.exists()


def training_of(run: Run, runs: Path, *, batch_size: int) -> tuple[Training, RunFolder]:
    """A training on four points, which are those of validation, too."""
    points = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0], [-1.0, 0.5]])
    source = DeviceStore(Samples(points, torch.tensor([0, 1, 0, 1])), device=run.device)
    batches = Batches(source, batch_size=batch_size)
    folder = run_folder.create(runs, "run")
    return Training(run, SplitBatches(batches, batches, None), FolderStore(folder)), folder
