"""Epochs of steps: when what is measured, kept and saved."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from cnnctl import run_folder
from cnnctl.checkpoint import Checkpoint
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import Batches
from cnnctl.data.samples import Samples
from cnnctl.experiment import load
from cnnctl.run_files import EpochMetrics, read_metrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.observers import Observer
from cnnctl.training.recording import FolderStore
from cnnctl.training.run import Counters, Run
from cnnctl.training.scoring import evaluate
from cnnctl.training.setup import Setup, SplitBatches, set_up
from cnnctl.training.signals import StopSignals
from cnnctl.training.state import capture_last
from cnnctl.training.training import Training, grouped
from tests.conftest import Cli
from tests.training.conftest import assert_same_state, best, run_of, setup_of

Event = tuple[str, int]

CLOCKED = ("seconds", "samples_per_second")


class Rows(Observer):
    """Collects the lines of the epochs."""

    def __init__(self) -> None:
        self.rows: list[EpochMetrics] = []
        self.went_on_after: list[int] = []

    def resumed(self, counters: Counters) -> None:
        self.went_on_after.append(counters.epoch)

    def epoch_ended(self, row: EpochMetrics) -> None:
        self.rows.append(row)


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


def fit(run: Run, folder: Path, events: list[Event], **watching: int) -> Training:
    with StopSignals() as signals:
        training = Training(
            run,
            SplitBatches(batches(), batches(), None),
            FolderStore(run_folder.create(folder, "run")),
            [Watcher(events, **watching)],
            signals.were_received,
        )
        training.fit()
    return training


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
    training = fit(moons(train={"epochs": 2, "accumulate": 2}), tmp_path, events)
    # five batches make steps of two, two and one
    assert training.run.counters.step == 6
    assert [step for name, step in events if name == "row"] == [1, 2]


@pytest.mark.parametrize("after", [3, 5])
def test_a_signal_ends_the_run_after_its_step_and_the_state_is_saved(
    after: int, tmp_path: Path, events: list[Event]
) -> None:
    training = fit(moons(train={"epochs": 9}), tmp_path, events, stop_after=after)
    assert training.stop()
    assert events[-1] == ("last", after)
    # the last step of an epoch ends it, all the rest comes later
    assert training.run.counters.epoch == (after == 5)


def test_without_validation_the_newest_is_kept() -> None:
    training = Training(moons(), SplitBatches(batches(), None, None))
    training.run.counters.best, training.run.counters.best_loss = 0.9, 0.1
    assert training.is_kept(0.5, 2.0)
    assert training.named("loss") == "train_loss"


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
    monitor: str, score: float, loss: float, is_best: bool
) -> None:
    run = moons(train={"monitor": monitor})
    training = Training(run, SplitBatches(batches(), batches(), None))
    training.run.counters.best_loss = 0.5
    training.run.counters.best = 0.9 if monitor == "accuracy" else 0.5
    assert training.is_kept(score, loss) is is_best


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_evaluation_is_that_of_scikit_learn(reduction: str) -> None:
    run, split = moons(loss={"name": "cross_entropy", "reduction": reduction}), batches(7, 3)
    [(points, classes)] = split.in_order(batch_size=7)
    with torch.no_grad():
        shares = run.network.double()(points.double()).softmax(1).numpy()
    run.network.float()
    found = evaluate(run, split, tasks=run.answers)
    assert found["accuracy"] == accuracy_score(classes, shares.argmax(1))
    assert found["loss"] == pytest.approx(log_loss(classes, shares), rel=1e-5)


def test_the_averaged_network_is_the_one_that_is_evaluated() -> None:
    run = moons(regularization={"ema": 0.5})
    before = evaluate(run, batches(), tasks=run.answers)
    torch.nn.init.constant_(run.network.get_parameter("linear2.weight"), 9.0)
    assert evaluate(run, batches(), tasks=run.answers) == before


def test_batches_are_grouped_with_the_rest_at_the_end() -> None:
    one, two, three = batches().in_order(batch_size=4)
    assert [len(group) for group in grouped([one, two, three], 2)] == [2, 1]
    assert not list(grouped([], 2))


RARE: dict[str, Any] = {
    "data": {
        "name": "inline",
        "inputs": [[float(number % 7), float(number % 5)] for number in range(43)],
        "targets": [0] * 30 + [1] * 10 + [2] * 3,
        "batch_size": 8,
        "sampler": "balanced",
    },
    "model": {"layers": [{"linear": 5}, "tanh", {"dropout": 0.2}, {"linear": "classes"}]},
    "loss": {"name": "focal", "weight": "balanced"},
    "train": {"epochs": 3, "threads": 1},
}


@pytest.mark.parametrize("after", [3, 6, 8])
def test_a_training_on_balanced_classes_is_stopped_and_goes_on_with_the_same_bits(
    after: int, as_before: None
) -> None:
    setup = setup_of(RARE)
    alone = Training.of(setup)
    alone.begin()
    alone.fit()
    stopped = Training.of(setup, stop=lambda: stopped.run.counters.step == after)
    stopped.begin()
    stopped.fit()
    assert stopped.run.counters.step == after
    saved = capture_last(stopped.run)
    assert saved.document["experiment"]["loss"]["weight"] == [43 / 90, 43 / 30, 43 / 9]
    resumed = Training.of(setup_of(RARE), store=stopped.store)
    resumed.resume(saved)
    torch.manual_seed(0)  # whatever was drawn in between
    resumed.fit()
    assert_same_state(capture_last(resumed.run), capture_last(alone.run))


@pytest.fixture
def bare(everything: Path, as_before: None) -> Setup:
    """The experiment with everything, set up without folder and screen."""
    return set_up(load(everything, ["train.device=cpu", "train.threads=1"]), data_root=Path("none"))


def without_times(rows: list[EpochMetrics]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key not in CLOCKED} for row in rows]


def test_a_training_without_folder_and_screen_gives_the_bits_of_the_command(
    cli: Cli, everything: Path, bare: Setup, capfd: pytest.CaptureFixture[str]
) -> None:
    done = cli("train", everything, "train.device=cpu", "train.threads=1")
    assert done.returncode == 0, done.stderr
    run, files = everything.parent / "runs" / "everything", sorted(everything.parent.rglob("*"))
    rows = Rows()
    training = Training.of(bare, observers=[rows])
    training.begin()
    training.fit()
    result = training.result()
    assert sorted(everything.parent.rglob("*")) == files
    assert capfd.readouterr() == ("", "")
    assert without_times(rows.rows) == without_times(read_metrics(run).rows)
    assert result.to_json() == json.loads((run / "result.json").read_text())
    kept = best(run).weights
    assert kept.keys() == training.store.best_weights().keys()
    for name, weight in training.store.best_weights().items():
        assert torch.equal(weight, kept[name]), name


@pytest.mark.parametrize("after", [2, 25])
def test_a_training_in_memory_is_stopped_and_goes_on_with_the_same_bits(
    after: int, bare: Setup
) -> None:
    alone = Training.of(bare)
    alone.begin()
    alone.fit()
    rows = Rows()
    stopped = Training.of(bare, observers=[rows], stop=lambda: stopped.run.counters.step == after)
    stopped.begin()
    stopped.fit()
    epochs = stopped.run.counters.epoch
    assert not stopped.result().is_finished
    resumed = Training.of(bare, observers=[rows], store=stopped.store)
    resumed.resume(capture_last(stopped.run))
    torch.manual_seed(0)  # whatever was drawn in between
    resumed.fit()
    assert rows.went_on_after == [epochs] == [after // 21]
    assert_same_state(capture_last(resumed.run), capture_last(alone.run))
    assert resumed.result().test == alone.result().test
