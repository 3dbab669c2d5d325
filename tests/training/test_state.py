"""A state that is saved and restored goes on as if nothing had been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl.checkpoint import Checkpoint, load, save
from cnnctl.errors import ExitCode, FaultError
from cnnctl.optim.optimizers import Optimizer
from cnnctl.training.run import Run
from cnnctl.training.state import capture_best, capture_last, restore, restore_random
from cnnctl.training.step import make_step
from tests.training.conftest import assert_same_state, run_of

EVERYTHING = {
    "data": {"name": "digits"},
    "model": {
        "layers": [
            {"conv": {"out_channels": 4, "kernel_size": 3}},
            "batch_norm",
            "relu",
            {"dropout": 0.3},
            "flatten",
            {"linear": "classes"},
        ]
    },
    "scheduler": {"name": "plateau", "patience": 1},
    "regularization": {"ema": 0.9, "early_stopping": 2},
}


def new_run(**sections: Any) -> Run:
    return run_of({**EVERYTHING, **sections}, input=(1, 8, 8), classes=10)


def take_steps(run: Run, count: int) -> None:
    step = make_step(run)
    for _ in range(count):
        draw = torch.Generator().manual_seed(run.counters.step)
        images = torch.randn(6, 1, 8, 8, generator=draw)
        step([(images, torch.randint(10, (6,), generator=draw))])


def finish_epoch(run: Run) -> None:
    take_steps(run, run.schedule.steps_per_epoch)
    run.counters.epoch, run.counters.batch = 1, 0
    run.schedule.end_epoch(2.0)
    assert run.patience is not None
    run.patience.end_epoch(0.5)


def through_a_file(run: Run, folder: Path) -> Checkpoint:
    save(capture_last(run), folder / "last.safetensors")
    return load(folder / "last.safetensors")


OPTIMIZERS: list[dict[str, Any]] = [
    *({"name": kind} for kind in sorted(Optimizer.kinds)),
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
    {"name": "adam", "amsgrad": True},
    {"name": "adamw", "amsgrad": True, "lr": 100.0},
    {"name": "rmsprop", "momentum": 0.9, "centered": True},
    {"name": "asgd", "lr": 2.0, "t0": 2.0},
    {"name": "lbfgs", "line_search_fn": "strong_wolfe"},
    {"name": "lbfgs", "max_iter": 1, "lr": 1e-6},
    {"name": "lbfgs", "max_iter": 3, "history_size": 1, "tolerance_grad": 1.0},
]


def named(options: dict[str, Any]) -> str:
    return "-".join(map(str, options.values()))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_every_optimizer_goes_on_to_the_same_bits(
    optimizer: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    alone = new_run(optimizer=optimizer)
    finish_epoch(alone)
    take_steps(alone, 3)
    checkpoint = through_a_file(alone, tmp_path)
    take_steps(alone, 3)

    resumed = new_run(optimizer=optimizer)
    restore(resumed, checkpoint)
    torch.manual_seed(99)
    restore_random(checkpoint, resumed)
    take_steps(resumed, 3)
    assert_same_state(capture_last(resumed), capture_last(alone))


def test_several_optimizers_and_slow_weights_go_on_to_the_same_bits(tmp_path: Path) -> None:
    groups = [
        {"match": "linear*", "optimizer": {"name": "adam", "lr": 0.01}},
        {"match": "*.bias", "scheduler": {"name": "polynomial", "total_iters": 1}},
    ]
    sections: dict[str, Any] = {
        "optimizer": {"name": "muon", "others": "rmsprop", "groups": groups},
        "regularization": {"lookahead": {"every": 4, "ramp": 3}, "early_stopping": 2},
    }
    alone = new_run(**sections)
    assert len({id(group.optimizer) for group in alone.groups}) == 3
    finish_epoch(alone)
    take_steps(alone, 3)
    checkpoint = through_a_file(alone, tmp_path)
    take_steps(alone, 6)

    resumed = new_run(**sections)
    restore(resumed, checkpoint)
    restore_random(checkpoint, resumed)
    take_steps(resumed, 6)
    assert_same_state(capture_last(resumed), capture_last(alone))


def test_weights_whose_rate_stays_0_need_no_gradients() -> None:
    own = {"match": "conv1", "scheduler": {"name": "polynomial", "total_iters": 1}}
    run = new_run(optimizer={"name": "sgd", "momentum": 0.9, "groups": [own]}, scheduler="constant")
    run.begin_epoch()
    finish_epoch(run)
    run.begin_epoch()
    learning = {name for name, p in run.network.named_parameters() if p.requires_grad}
    assert learning == {"batch_norm1.weight", "batch_norm1.bias", "linear1.weight", "linear1.bias"}
    before = run.network.get_parameter("conv1.weight").clone()
    take_steps(run, 2)
    assert torch.equal(run.network.get_parameter("conv1.weight"), before)


def test_a_network_whose_rates_are_all_0_goes_on() -> None:
    run = new_run(scheduler={"name": "polynomial", "total_iters": 1})
    finish_epoch(run)
    run.begin_epoch()
    take_steps(run, 1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_every_state_on_the_way_is_restored(optimizer: dict[str, Any]) -> None:
    run = new_run(optimizer=optimizer, regularization={})
    for _ in range(8):
        taken = capture_last(run)
        document = json.loads(json.dumps({"format": 1, **taken.document}))
        restore(
            new_run(optimizer=optimizer, regularization={}), Checkpoint(taken.tensors, document)
        )
        take_steps(run, 1)


def test_a_restored_state_is_the_saved_one(tmp_path: Path) -> None:
    run = new_run()
    take_steps(run, 2)
    checkpoint = through_a_file(run, tmp_path)
    other = new_run()
    restore(other, checkpoint)
    restore_random(checkpoint, other)
    assert_same_state(capture_last(other), checkpoint_of(checkpoint))


def checkpoint_of(loaded: Checkpoint) -> Checkpoint:
    """What was captured, without the number of the file's format."""
    document = {k: v for k, v in loaded.document.items() if k != "format"}
    return Checkpoint(loaded.tensors, document)


def test_the_best_holds_the_averaged_weights_and_nothing_to_resume_from() -> None:
    run = new_run()
    take_steps(run, 3)
    found = capture_best(run)
    assert run.average is not None
    averaged = run.average.network.state_dict()
    assert found.tensors.keys() == {f"model.{name}" for name in averaged}
    for name, tensor in found.weights.items():
        assert torch.equal(tensor, averaged[name])
    with pytest.raises(FaultError, match="weights only") as caught:
        restore(run, found)
    assert caught.value.exit_code is ExitCode.CHECKPOINT


def test_the_last_is_evaluated_by_its_averaged_weights() -> None:
    run = new_run()
    take_steps(run, 3)
    for name, tensor in capture_last(run).weights.items():
        assert torch.equal(tensor, run.evaluated.state_dict()[name])


@pytest.mark.parametrize("part", ["tally", "optimizer.state.0.momentum_buffer"])
def test_a_missing_tensor_is_a_fault_and_not_a_warning(part: str, tmp_path: Path) -> None:
    run = new_run(optimizer={"name": "sgd", "momentum": 0.9})
    take_steps(run, 2)
    checkpoint = through_a_file(run, tmp_path)
    del checkpoint.tensors[part]
    refuse(new_run(optimizer={"name": "sgd", "momentum": 0.9}), checkpoint)


@pytest.mark.parametrize("part", ["schedule", "patience", "counters"])
def test_a_missing_counter_is_a_fault_and_not_a_warning(part: str) -> None:
    checkpoint = capture_last(new_run())
    del checkpoint.document[part]
    refuse(new_run(), checkpoint)


def test_averaged_weights_that_are_missing_are_a_fault() -> None:
    without = new_run(regularization={})
    refuse(new_run(), capture_last(without))


def refuse(run: Run, checkpoint: Checkpoint) -> None:
    with pytest.raises(FaultError) as caught:
        restore(run, checkpoint)
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    assert all(fault.hint for fault in caught.value.faults)
