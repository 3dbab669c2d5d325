"""A training that begins with weights and holds some of them still resumes to the same bits."""

from __future__ import annotations

import copy
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnctl.console import Screen
from cnnctl.errors import FaultError
from cnnctl.optim.optimizers import Optimizer
from cnnctl.training import recipe
from cnnctl.training.run import Run
from cnnctl.training.starting import begin_run, resume_run
from cnnctl.training.state import capture_last, restore
from cnnctl.training.step import make_step
from cnnctl.training.training import Training
from tests.training.conftest import assert_same_state, last, run_of

RUNS = Path("runs")
FROZEN = """\
data: {name: digits, batch_size: 512}
model:
  layers:
    - conv: {out_channels: 4, kernel_size: 3}
    - batch_norm
    - relu
    - flatten
    - linear: classes
  freeze: backbone
  unfreeze_at: 3
optimizer:
  name: adamw
  groups: [{match: conv1, lr: 0.0001}, {match: "*.bias", weight_decay: 0}]
scheduler: {name: cosine, warmup: 1}
regularization: {ema: 0.9, l2: 0.001}
train: {epochs: 4, device: cpu, precision: fp32, compile: false, checkpoint_every: 1}
"""
LAYERS: list[Any] = [
    {"conv": {"out_channels": 4, "kernel_size": 3}},
    "batch_norm",
    "flatten",
    {"linear": "classes"},
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str = FROZEN) -> Path:
    path = Path(f"{name}.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def train(config: Path, *, resume: bool = False) -> Path:
    """Begin or resume, and train to the end; the run's folder."""
    start = resume_run(config, [], "", runs=RUNS) if resume else begin_run(config, [], runs=RUNS)
    console = Screen(quiet=True)
    with closing(start.folder):
        recipe.train(start, data_root=Path("data"), console=console)
    return start.folder.path


class KilledError(Exception):
    """The process is gone."""


def kill_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the training die just after this save."""
    save, count = Training.save, iter(range(saves, -1, -1))

    def save_and_die(training: Training) -> None:
        save(training)
        if next(count) == 1:
            raise KilledError

    monkeypatch.setattr(Training, "save", save_and_die)


# three steps an epoch; everything trains from the third epoch, so from the seventh step
@pytest.mark.parametrize("saves", [2, 3, 5, 6, 7, 9, 10])
def test_a_run_killed_before_at_or_after_the_unfreezing_ends_with_the_same_bits(
    saves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train(write("alone"))
    with monkeypatch.context() as patched:
        kill_after(saves, patched)
        with pytest.raises(KilledError):
            train(write("killed"))
    killed = train(write("killed"), resume=True)
    one, other = last(killed), last(alone)
    for checkpoint in (one, other):
        checkpoint.document["experiment"].pop("name")
    assert_same_state(one, other)


def new_run(**sections: Any) -> Run:
    model = {"layers": LAYERS, **sections.pop("model", {})}
    plain = {"data": {"name": "digits"}, "optimizer": "adam", "model": model, **sections}
    return run_of(plain, input=(1, 8, 8), classes=10)


def take_epochs(run: Run, count: int) -> None:
    for _ in range(count):
        run.begin_epoch()
        step = make_step(run).for_epoch()
        for _ in range(run.schedule.steps_per_epoch):
            draw = torch.Generator().manual_seed(run.counters.step)
            images = torch.randn(6, 1, 8, 8, generator=draw)
            step([(images, torch.randint(10, (6,), generator=draw))])
        run.counters.epoch += 1
        run.counters.batch = 0


def weights(run: Run) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in run.network.state_dict().items()}


def changed(before: dict[str, Tensor], run: Run) -> set[str]:
    return {
        name for name, t in run.network.state_dict().items() if not torch.equal(t, before[name])
    }


CLASSIFIER = {"linear1.weight", "linear1.bias"}


def test_a_frozen_backbone_holds_still_to_the_last_bit() -> None:
    run = new_run(model={"freeze": "backbone"}, regularization={"weight_decay": 0.1})
    before = weights(run)
    take_epochs(run, 2)
    assert changed(before, run) == CLASSIFIER
    held = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    assert len(held) == 2


def test_everything_trains_from_the_epoch_of_unfreezing_on() -> None:
    run = new_run(model={"freeze": "backbone", "unfreeze_at": 2}, regularization={"l2": 0.1})
    before = weights(run)
    take_epochs(run, 1)
    assert changed(before, run) == CLASSIFIER
    assert len(run.optimizer.state) == 2
    take_epochs(run, 1)
    assert changed(before, run) == set(before)
    assert len(run.optimizer.state) == 6


THAWING = [
    *({"name": kind} for kind in sorted({*Optimizer.kinds} - {"lbfgs"})),
    {"name": "lbfgs", "max_iter": 2},
    pytest.param({"name": "lbfgs"}, marks=pytest.mark.long),
    {"name": "sgd", "momentum": 0.9, "dampening": 0.1},
    {"name": "rmsprop", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "groups": [{"match": "conv1", "lr": 0.01}]},
]


@pytest.mark.parametrize("optimizer", THAWING, ids=lambda options: "-".join(map(str, options)))
def test_every_optimizer_takes_weights_that_join_it_late(optimizer: dict[str, Any]) -> None:
    model = {"freeze": "backbone", "unfreeze_at": 2}
    alone, resumed = (new_run(model=model, optimizer=optimizer) for _ in range(2))
    before = weights(alone)
    take_epochs(alone, 1)
    restore(resumed, capture_last(alone))
    for run in (alone, resumed):
        take_epochs(run, 2)
    assert changed(before, alone) == set(before)
    one, other = weights(alone), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    restore(new_run(model=model, optimizer=optimizer), capture_last(alone))


def test_weights_that_join_late_move_as_in_a_loop_by_hand() -> None:
    """Their first momentum is their first gradient, without the dampening."""
    options: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}
    model = {"freeze": ["conv1"], "unfreeze_at": 2}
    run = new_run(model=model, optimizer={"name": "sgd", **options})
    network = copy.deepcopy(run.network)
    by_hand = torch.optim.SGD(network.parameters(), **options, foreach=False)
    take_epochs(run, 2)
    for number in range(2 * run.schedule.steps_per_epoch):
        network.get_submodule("conv1").requires_grad_(number >= run.schedule.steps_per_epoch)
        draw = torch.Generator().manual_seed(number)
        images = torch.randn(6, 1, 8, 8, generator=draw)
        classes = torch.randint(10, (6,), generator=draw)
        by_hand.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images), classes)
        loss.backward()  # type: ignore[no-untyped-call]
        by_hand.step()
    for ours, other in zip(run.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-5)


def test_unfreezing_in_the_first_epoch_is_no_freezing() -> None:
    free, never = new_run(), new_run(model={"freeze": "backbone", "unfreeze_at": 1})
    for run in (free, never):
        take_epochs(run, 2)
    one, other = weights(free), weights(never)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_penalties_and_clipping_leave_frozen_weights_out() -> None:
    run = new_run(model={"freeze": ["linear1"]}, regularization={"l1": 1.0, "clip_norm": 1.0})
    step = make_step(run).for_epoch()
    names = {id(p): name for name, p in run.network.named_parameters()}
    assert [names[id(p)] for p in step.penalized] == ["conv1.weight"]
    assert not {names[id(p)] for p in step.trainable} & CLASSIFIER


def test_a_restored_run_is_frozen_by_its_epoch_and_not_by_its_start() -> None:
    model = {"freeze": "backbone", "unfreeze_at": 2}
    alone = new_run(model=model)
    take_epochs(alone, 2)
    state = capture_last(alone)
    resumed = new_run(model=model)
    restore(resumed, state)
    for run in (alone, resumed):
        take_epochs(run, 1)
    one, other = weights(alone), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_taken_by_the_network_and_by_its_average() -> None:
    source, run = new_run(seed=5), new_run(regularization={"ema": 0.9})
    take_epochs(source, 1)
    state = weights(source)
    assert run.take_weights(state) == ()
    assert run.average is not None
    for network in (run.network, run.average.network):
        assert all(torch.equal(t, state[name]) for name, t in network.state_dict().items())


def with_weights(line: str) -> Path:
    text = FROZEN.replace("  freeze: backbone\n  unfreeze_at: 3\n", f"  weights: {line}\n")
    return write("fine", text)


def test_a_new_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    checkpoint = train(write("first")) / "checkpoints" / "last.safetensors"
    config = with_weights(str(tmp_path / checkpoint))
    start = begin_run(config, [], runs=RUNS)
    assert start.weights is not None
    wanted = last(checkpoint.parents[1]).weights
    assert all(torch.equal(start.weights[name], tensor) for name, tensor in wanted.items())
    start.folder.close()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "no such file:"),
        ({"conv1.weight": torch.zeros(3)}, r"fine.yaml:\d+:\d+: model.weights: at tensor 1"),
    ],
)
def test_weights_that_are_no_good_make_no_folder(state: Any, message: str, tmp_path: Path) -> None:
    if state:
        torch.save(state, "other.pth")
    with pytest.raises(FaultError, match=message) as caught:
        begin_run(with_weights(str(tmp_path / "other.pth")), [], runs=RUNS)
    assert caught.value.faults[0].hint
    assert not RUNS.exists()
