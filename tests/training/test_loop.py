"""Epochs of steps: when what is measured, kept and saved."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from cnnctl import run_folder
from cnnctl.checkpoint import Checkpoint
from cnnctl.data.loader import Batches, DeviceStore
from cnnctl.data.samples import Samples
from cnnctl.run_files import EpochMetrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.loop import Loop, evaluate, grouped
from cnnctl.training.observers import Observer
from cnnctl.training.run import Run
from cnnctl.training.signals import StopSignals
from cnnctl.training.step import make_step
from tests.training.conftest import run_of

Event = tuple[str, int]


class Watcher(Observer):
    """Notes steps and epochs, and sends a signal after a step if it is told to."""

    def __init__(self, events: list[Event], *, stop_after: int = -1) -> None:
        self.events = events
        self.stop_after = stop_after

    def stepped(self, run: Run) -> None:
        self.events.append(("step", run.counters.step))
        if run.counters.step == self.stop_after:
            os.kill(os.getpid(), signal.SIGTERM)

    def epoch_ended(self, row: EpochMetrics) -> None:
        self.events.append(("row", row["epoch"]))


def moons(**sections: Any) -> Run:
    layers = {"layers": [{"linear": 5}, "tanh", {"linear": "classes"}]}
    return run_of({"data": {"name": "moons"}, "model": layers, **sections})


def batches(count: int = 10, size: int = 2) -> Batches:
    draw = torch.Generator().manual_seed(0)
    points = torch.randn(count, 2, generator=draw)
    classes = torch.randint(2, (count,), generator=draw)
    return Batches(
        DeviceStore(Samples(points, classes), device=torch.device("cpu")), batch_size=size
    )


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What happens, in order; checkpoints are noted by their step in place of being written."""
    noted: list[Event] = []

    def note(name: str) -> None:
        def save(folder: RunFolder, checkpoint: Checkpoint) -> None:
            noted.append((name, checkpoint.document["counters"]["step"]))

        monkeypatch.setattr(RunFolder, f"save_{name}", save)

    note("last")
    note("best")
    return noted


def fit(run: Run, folder: Path, events: list[Event], **watching: int) -> Loop:
    with StopSignals() as signals:
        loop = Loop(
            run=run,
            step=make_step(run),
            training=batches(),
            validation=batches(),
            folder=run_folder.create(folder, "run"),
            observers=[Watcher(events, **watching)],
            signals=signals,
        )
        loop.fit()
    return loop


def test_the_line_of_an_epoch_is_written_before_its_checkpoint(
    tmp_path: Path, events: list[Event]
) -> None:
    fit(moons(train={"epochs": 1}), tmp_path, events)
    steps = [("step", number) for number in range(1, 6)]
    assert events == [*steps, ("best", 5), ("row", 1), ("last", 5)]


def test_states_within_an_epoch_are_saved_at_steps_of_the_whole_run(
    tmp_path: Path, events: list[Event]
) -> None:
    fit(moons(train={"epochs": 2, "checkpoint_every": 2}), tmp_path, events)
    # the end of an epoch saves for itself
    assert [step for name, step in events if name == "last"] == [2, 4, 5, 6, 8, 10]


def test_accumulated_batches_are_one_step_also_when_the_last_are_fewer(
    tmp_path: Path, events: list[Event]
) -> None:
    loop = fit(moons(train={"epochs": 2, "accumulate": 2}), tmp_path, events)
    # five batches make steps of two, two and one
    assert loop.run.counters.step == 6
    assert [step for name, step in events if name == "row"] == [1, 2]


@pytest.mark.parametrize("after", [3, 5])
def test_a_signal_ends_the_run_after_its_step_and_the_state_is_saved(
    after: int, tmp_path: Path, events: list[Event]
) -> None:
    loop = fit(moons(train={"epochs": 9}), tmp_path, events, stop_after=after)
    assert loop.signals.received is signal.SIGTERM
    assert events[-1] == ("last", after)
    # the last step of an epoch ends it, all the rest comes later
    assert loop.run.counters.epoch == (after == 5)


def loop_without_validation(run: Run, folder: Path) -> Loop:
    return Loop(
        run=run,
        step=make_step(run),
        training=batches(),
        validation=None,
        folder=run_folder.create(folder, "run"),
        observers=[],
        signals=StopSignals(),
    )


def test_without_validation_the_newest_is_kept(tmp_path: Path) -> None:
    loop = loop_without_validation(moons(), tmp_path)
    loop.run.counters.best, loop.run.counters.best_loss = 0.9, 0.1
    assert loop.is_kept(0.5, 2.0)
    assert loop.named("loss") == "train_loss"


@pytest.mark.parametrize(
    ("monitor", "score", "loss", "is_best"),
    [
        ("accuracy", 0.91, 0.9, True),
        ("accuracy", 0.89, 0.1, False),
        # the same accuracy is better with less loss
        ("accuracy", 0.9, 0.4, True),
        ("accuracy", 0.9, 0.5, False),
        ("loss", 0.4, 0.4, True),
        ("loss", 0.5, 0.5, False),
    ],
)
def test_the_best_is_the_first_of_the_highest_score(
    monitor: str, score: float, loss: float, is_best: bool, tmp_path: Path
) -> None:
    loop = loop_without_validation(moons(train={"monitor": monitor}), tmp_path)
    loop.validation = batches()
    loop.run.counters.best_loss = 0.5
    loop.run.counters.best = 0.9 if monitor == "accuracy" else 0.5
    assert loop.is_kept(score, loss) is is_best


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_evaluation_is_that_of_scikit_learn(reduction: str) -> None:
    run, split = moons(loss={"name": "cross_entropy", "reduction": reduction}), batches(7, 3)
    [(points, classes)] = split.in_order(batch_size=7)
    with torch.no_grad():
        shares = run.network.double()(points.double()).softmax(1).numpy()
    run.network.float()
    found = evaluate(run, split)
    assert found["accuracy"] == accuracy_score(classes, shares.argmax(1))
    assert found["loss"] == pytest.approx(log_loss(classes, shares), rel=1e-5)


def test_the_averaged_network_is_the_one_that_is_evaluated() -> None:
    run = moons(regularization={"ema": 0.5})
    before = evaluate(run, batches())
    torch.nn.init.constant_(run.network.get_parameter("linear2.weight"), 9.0)
    assert evaluate(run, batches()) == before


def test_batches_are_grouped_with_the_rest_at_the_end() -> None:
    one, two, three = batches().in_order(batch_size=4)
    assert [len(group) for group in grouped([one, two, three], 2)] == [2, 1]
    assert not list(grouped([], 2))
