"""A watched training is the same training, and its records say what its layers did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from cnnctl import run_files, run_folder
from cnnctl.checkpoint import load
from cnnctl.run_files import read_watch
from cnnctl.run_folder import RunFolder
from cnnctl.training import watch_recording
from cnnctl.training.layer_samples import VALUES, LayerSamples, spaced
from cnnctl.training.layer_statistics import LayerStatistics
from cnnctl.training.observers import Observer
from cnnctl.training.recipe import watching
from cnnctl.training.recording import FolderStore
from cnnctl.training.run import Counters, Run
from cnnctl.training.setup import Setup
from cnnctl.training.training import Training, never
from cnnctl.training.watch_recording import WatchBoard, WatchFile, histogram
from cnnctl.training.watching import Watch, WatchedStep
from tests.training.conftest import EVERYTHING, run_of, setup_of

pytestmark = pytest.mark.usefixtures("as_before")
QUIET = Console(quiet=True)


class KilledError(Exception):
    """What ends a training in the place of a signal that cannot be caught."""


class Killer(Observer):
    """Ends the training after a step."""

    def __init__(self, after: int) -> None:
        self.after = after

    def stepped(self, run: Run) -> None:
        if run.counters.step == self.after:
            raise KilledError


def everything(**train: Any) -> Setup:
    """Two epochs of 9 steps of an experiment that draws at random and has running statistics."""
    plain = yaml.safe_load(EVERYTHING)
    plain["data"] |= {"validation": 0.6, "size": 8}
    plain["train"] |= {"epochs": 2, "checkpoint_every": 5, "threads": 1, **train}
    return setup_of(plain)


def start(
    setup: Setup, folder: RunFolder, *more: Observer, stop: Callable[[], bool] = never
) -> Training:
    observers = [*watching(setup.experiment.train.watch, folder, QUIET), *more]
    return Training.of(setup, store=FolderStore(folder), observers=observers, stop=stop)


def close(training: Training) -> None:
    for observer in training.observers:
        observer.close()


def test_a_watched_run_has_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    finals = []
    for interval in (False, 3):
        training = start(everything(watch=interval), run_folder.create(tmp_path, "run"))
        training.begin()
        training.fit()
        close(training)
        assert training.run.average is not None
        networks = training.run.network, training.run.average.network
        finals.append([tensor for network in networks for tensor in network.state_dict().values()])
    assert all(map(torch.equal, *finals))
    assert not (tmp_path / "run" / "watch.jsonl").exists()
    steps = [record.step for record in read_watch(tmp_path / "run-2").records]
    assert steps == [1, *range(3, 19, 3)]


@pytest.mark.parametrize("after", [7, 12])
def test_a_killed_run_resumes_to_the_records_of_one_left_alone(after: int, tmp_path: Path) -> None:
    setup = everything(watch=2)
    alone = start(setup, run_folder.create(tmp_path, "alone"))
    alone.begin()
    alone.fit()
    close(alone)

    folder = run_folder.create(tmp_path, "killed")
    killed = start(setup, folder, Killer(after))
    killed.begin()
    with pytest.raises(KilledError):
        killed.fit()
    close(killed)  # so that there are records of steps that the resumed run repeats
    assert read_watch(folder.path).records[-1].step == after - after % 2

    resumed = start(setup, folder)
    resumed.resume(load(folder.last))
    assert resumed.run.counters.step < after
    resumed.fit()
    close(resumed)
    records = [tmp_path / name / "watch.jsonl" for name in ("alone", "killed")]
    assert records[0].read_bytes() == records[1].read_bytes()


def test_a_record_describes_the_step_as_it_was_taken(tmp_path: Path) -> None:
    layers = [{"linear": {"out_features": 4, "init": "xavier_uniform"}}, "sigmoid", {"linear": 2}]
    run = run_of(
        {
            "data": {"name": "moons"},
            "model": {"layers": layers},
            "optimizer": {"name": "sgd", "lr": 0.5},
            "train": {"watch": 1},
        }
    )
    inputs, targets = torch.randn(8, 2), torch.arange(8) % 2
    before = [run.network.get_parameter(f"linear{n}.weight").detach().clone() for n in (1, 2)]
    outputs = run.network.get_submodule("linear1")(inputs).detach(), run.network(inputs)
    loss = torch.nn.functional.cross_entropy(outputs[1], targets)
    gradients = torch.autograd.grad(loss, [run.network.get_parameter("linear1.weight")])
    found: list[WatchedStep] = []

    class Keep(WatchFile):
        def record(self, watched: WatchedStep) -> None:
            found.append(watched)

    training = Training(
        run,
        batches_of(inputs, targets),
        observers=[Watch(Keep(run_folder.create(tmp_path, "run"), QUIET), interval=1)],
    )
    training.train_epoch()
    rows = {row.layer: row for row in found[0].rows}
    assert rows.keys() == {"linear1", "sigmoid1", "linear2"}
    first = rows["linear1"]
    rms = gradients[0].square().mean().sqrt()
    assert first.gradient == pytest.approx(float(rms), rel=1e-5)
    assert first.update == pytest.approx(float(0.5 * rms / before[0].square().mean().sqrt()), 1e-4)
    assert first.mean == pytest.approx(float(outputs[0].mean()), rel=1e-5)
    assert first.spread == pytest.approx(float(outputs[0].std(correction=0)), rel=1e-5)


def batches_of(inputs: Tensor, targets: Tensor) -> Any:
    from cnnctl.data.device_store import DeviceStore
    from cnnctl.data.loader import Batches
    from cnnctl.data.samples import Samples
    from cnnctl.training.setup import SplitBatches

    store = DeviceStore(Samples(inputs, targets), device=torch.device("cpu"))
    return SplitBatches(Batches(store, batch_size=len(inputs)), None, None)


def watched(step: int, **figures: float) -> WatchedStep:
    samples = LayerSamples()
    samples.add("weights/linear1", torch.arange(6.0).view(2, 3))
    return WatchedStep(step, 1, [LayerStatistics("linear1", **figures)], samples)


def test_the_board_shows_every_layer_by_step_and_hides_repeated_ones(tmp_path: Path) -> None:
    folder = run_folder.create(tmp_path, "run")
    killed = WatchBoard(folder)
    for step in (1, 10, 20):
        killed.record(watched(step, gradient=0.5, update=0.01))
    killed.close()
    resumed = WatchBoard(folder)
    resumed.resumed(Counters(epoch=3, step=15))
    resumed.record(watched(20, gradient=0.25))
    resumed.close()
    reader: Any = EventAccumulator(str(folder.tensorboard / "layers"))
    reader.Reload()
    scalars = {event.step: event.value for event in reader.Scalars("gradient/linear1")}
    assert scalars == {1: 0.5, 10: 0.5, 20: 0.25}
    assert [event.value for event in reader.Scalars("update_log10/linear1")] == [-2.0, -2.0]
    last = reader.Histograms("weights/linear1")[-1]
    assert last.step == 20
    shown = last.histogram_value
    assert (shown.min, shown.max, shown.num, shown.sum, shown.sum_squares) == (0, 5, 6, 15, 55)
    assert sum(shown.bucket) == 6


def test_lines_wait_until_the_state_is_saved(tmp_path: Path) -> None:
    folder = run_folder.create(tmp_path, "run")
    file = WatchFile(folder, QUIET)
    file.record(watched(1, gradient=0.1))
    assert not folder.watch.exists()
    file.saving()
    assert folder.watch.read_text() == (
        '{"step":1,"epoch":1,"layers":{"linear1":{"gradient":0.1}}}\n'
    )


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    folder = run_folder.create(tmp_path, "run")
    file = WatchFile(folder, QUIET)
    file.record(watched(1, gradient=float("inf")))
    file.close()
    line = json.loads(folder.watch.read_text())
    assert line["layers"] == {"linear1": {"gradient": None}}
    [record] = read_watch(folder.path).records
    assert record.layers["linear1"]["gradient"] == float("inf")


def test_a_file_that_is_full_takes_no_more_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (watch_recording, run_files):
        monkeypatch.setattr(module, "MAX_WATCH", 150)
    folder = run_folder.create(tmp_path, "run")
    file = WatchFile(folder, Console(width=200))
    for step in range(1, 6):
        file.record(watched(step, gradient=0.1))
    file.close()
    assert [record.step for record in read_watch(folder.path).records] == [1, 2]
    assert capsys.readouterr().out.count("layers are not recorded from step 3 on") == 1
    resumed = WatchFile(folder, Console(width=200))
    resumed.resumed(Counters(step=1))
    for step in (2, 3):
        resumed.record(watched(step, gradient=0.1))
    resumed.close()
    assert [record.step for record in read_watch(folder.path).records] == [1, 2]


def test_samples_are_spread_over_the_tensor() -> None:
    tensor = torch.arange(100.0 * 640).view(100, 640)
    values = spaced(tensor)
    assert len(values) <= VALUES
    assert values[0] == 0
    assert values[-1] > 0.9 * tensor.numel()
    assert spaced(torch.tensor([[1.0, 2.0]])).tolist() == [1.0, 2.0]


def test_samples_are_those_of_before_an_activation_in_place() -> None:
    output = torch.tensor([[-1.0, 2.0]])
    values = spaced(output)
    output.relu_()
    assert values.tolist() == [-1.0, 2.0]


def test_a_histogram_of_equal_values_has_one_full_bin() -> None:
    shown = histogram(torch.full((5,), 2.0).numpy())
    assert (shown.min, shown.max, max(shown.bucket)) == (2, 2, 5)


def final_bits(setup: Setup, folder: Path) -> list[Tensor]:
    training = start(setup, run_folder.create(folder, "run"))
    training.begin()
    training.fit()
    close(training)
    return list(training.run.network.state_dict().values())


AUXILIARY = {
    "data": {"name": "fake", "shape": [3, 8, 8], "samples": 60, "batch_size": 20},
    "model": {
        "layers": [
            {"conv": {"out_channels": 4, "kernel_size": 3}},
            "batch_norm",
            "relu",
            {"auxiliary": {"layers": ["flatten", {"linear": "classes"}]}},
            {"dropout": 0.3},
            "flatten",
            {"linear": "classes"},
        ]
    },
    "optimizer": {"name": "lbfgs", "lr": 0.1, "max_iter": 3},
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_auxiliary_classifiers_lbfgs_and_bf16_keep_their_bits(
    precision: str, tmp_path: Path
) -> None:
    options = {"epochs": 1, "precision": precision, "threads": 1}
    pairs = [setup_of({**AUXILIARY, "train": {**options, "watch": each}}) for each in (False, 1)]
    one, other = (final_bits(setup, tmp_path) for setup in pairs)
    assert all(map(torch.equal, one, other))
    records = read_watch(tmp_path / "run-2").records
    assert {"conv1", "relu1", "auxiliary1.linear1", "linear1"} <= records[0].layers.keys()


@pytest.mark.long
def test_a_compiled_run_keeps_its_bits(tmp_path: Path) -> None:
    pairs = [everything(watch=watch, compile=True) for watch in (False, 4)]
    one, other = (final_bits(setup, tmp_path) for setup in pairs)
    assert all(map(torch.equal, one, other))
    assert len(read_watch(tmp_path / "run-2").records) > 3
