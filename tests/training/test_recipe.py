"""From a checked experiment to a trained network, within this process."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import torch

from cnnctl.console import Screen
from cnnctl.data.preparation import prepare
from cnnctl.errors import ExitCode, FaultError
from cnnctl.training import recipe
from cnnctl.training import setup as setups
from cnnctl.training import training as trainings
from cnnctl.training.result import TrainingResult
from cnnctl.training.setup import split_batches, use_machine
from cnnctl.training.starting import begin_run
from tests.conftest import Cli
from tests.training.conftest import EVERYTHING, assert_same_state, experiment_of, last

CONV = [{"conv": {"out_channels": 4, "kernel_size": 3}}, "flatten", {"linear": "classes"}]


pytestmark = pytest.mark.usefixtures("as_before")


def train(config: Path, *overrides: str, console: Screen | None = None) -> TrainingResult:
    start = begin_run(config, overrides, runs=config.parent / "runs")
    shown = console or Screen(file=StringIO())
    try:
        return recipe.train(start, data_root=config.parent, console=shown)[0]
    finally:
        start.folder.close()


def fault(config: Path, *overrides: str) -> FaultError:
    with pytest.raises(FaultError) as caught:
        train(config, *overrides)
    return caught.value


def test_a_run_reports_the_test_metrics_of_its_best_weights(tiny: Path) -> None:
    outcome = train(tiny, "train.epochs=3", "seed=5")
    assert torch.initial_seed() == 5
    assert outcome.is_finished
    assert outcome.test is not None
    assert 0.5 < outcome.test["accuracy"] <= 1
    assert outcome.run.counters.epoch == 3


@pytest.mark.parametrize(("size", "steps"), [("1", 90), ("all", 1), ("32", 3), ("89", 2)])
def test_single_samples_batches_and_full_batches_are_all_batch_size(
    tiny: Path, size: str, steps: int
) -> None:
    points = ["data={name: moons, samples: 100}", f"data.batch_size={size}"]
    outcome = train(tiny, *points, "train.epochs=1", "model.layers=[{linear: classes}]")
    assert outcome.run.counters.step == steps


@pytest.mark.parametrize("mixing", ["mixup: {alpha: 0.4}", "cutmix: {alpha: 1.0}"])
def test_mixed_samples_train_with_soft_targets(tiny: Path, mixing: str) -> None:
    tiny.write_text(EVERYTHING, encoding="utf-8")
    outcome = train(tiny, f"data.augment=[{{{mixing}}}]", "train.epochs=4", "data.batch_size=64")
    assert outcome.test is not None
    assert outcome.test["accuracy"] > 0.7


@pytest.mark.long
def test_recomputed_activations_train_to_the_same_bits(tiny: Path) -> None:
    tiny.write_text(EVERYTHING, encoding="utf-8")
    plain, recomputed = (
        train(tiny, "train.epochs=2", *more).run.network.state_dict()
        for more in ((), ("train.activation_checkpointing=true",))
    )
    assert all(torch.equal(each, recomputed[name]) for name, each in plain.items())


def test_lbfgs_solves_the_moons_with_the_full_batch(tiny: Path) -> None:
    data = "data={name: moons, samples: 300, batch_size: all}"
    layers = "model.layers=[{linear: 16}, tanh, {linear: classes}]"
    outcome = train(tiny, data, layers, "optimizer={name: lbfgs, line_search_fn: strong_wolfe}")
    assert outcome.test is not None
    assert outcome.test["accuracy"] > 0.97


def test_lbfgs_fits_the_diabetes_with_the_full_batch(tiny: Path) -> None:
    data = "data={name: diabetes, batch_size: all}"
    lines = ["model.layers=[{linear: 1}]", "loss=mse", "optimizer={name: lbfgs}"]
    outcome = train(tiny, data, *lines)
    assert outcome.test is not None
    # targets have a variance of 1, of which a line explains about half (Efron et al. 2004)
    assert outcome.test["loss"] < 0.65


def raise_out_of_memory(*_: object, **__: object) -> NoReturn:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.mark.parametrize(
    ("module", "moment"),
    [
        (setups, "prepare"),
        (setups, "split_batches"),
        (setups, "assemble"),
        (trainings, "make_step"),
        (trainings, "evaluate"),
    ],
)
def test_memory_may_run_out_at_any_moment(
    module: ModuleType, moment: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, moment, raise_out_of_memory)
    error = fault(tiny)
    assert error.exit_code is ExitCode.OUT_OF_MEMORY
    assert "out of memory on cpu with data.batch_size=128" in str(error)


def test_a_device_that_is_not_there_is_blamed_where_it_is_written(tiny: Path) -> None:
    text = tiny.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 2, device: 'cuda:9'")
    tiny.write_text(text, encoding="utf-8")
    assert "tiny.yaml:9:28: train.device: no cuda:9: torch sees" in str(fault(tiny))


def test_a_training_that_cannot_begin_leaves_no_folder_behind(tiny: Path) -> None:
    fault(tiny, "train.device=cuda:9")
    assert not list((tiny.parent / "runs").iterdir())


def test_a_terminal_keeps_its_cursor_when_the_event_file_cannot_be_made(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise FaultError(exit_code=ExitCode.STORAGE)

    monkeypatch.setattr(recipe, "TensorBoard", refuse)
    console = Screen(file=StringIO(), force_terminal=True, _environ={})
    with pytest.raises(FaultError):
        train(tiny, console=console)
    assert isinstance(console.file, StringIO)
    assert "\x1b[?25l" not in console.file.getvalue()


@pytest.mark.parametrize("layout", ["channels_last", "contiguous_format"])
def test_batches_lie_in_memory_as_the_network_wants_them(layout: str, tmp_path: Path) -> None:
    plain = {
        "data": {"name": "digits", "batch_size": 8},
        "model": {"layers": CONV},
        "train": {"memory_format": layout},
    }
    experiment = experiment_of(plain)
    prepared = prepare(experiment.data, seed=0, root=tmp_path)
    batches = split_batches(experiment, prepared, torch.device("cpu"))
    assert batches.validation is not None
    assert batches.test is not None
    is_last = layout == "channels_last"
    for split in (batches.train, batches.validation, batches.test):
        assert split.source.channels_last is is_last


def test_the_machine_is_set_up_as_the_settings_say() -> None:
    train = {"threads": 2, "deterministic": False, "precision": "bf16"}
    plain = {"data": {"name": "digits"}, "model": {"layers": CONV}, "train": train}
    assert use_machine(experiment_of(plain)) == torch.device("cpu")
    assert torch.get_num_threads() == 2
    assert torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.deterministic
    assert torch.get_float32_matmul_precision() == "high"


@pytest.mark.long
def test_a_compiled_run_resumes_to_the_same_bits(cli: Cli, everything: Path) -> None:
    # 1,293 samples in batches of 100: the last has another shape, which is compiled for itself
    asked = ["train.compile=true", "data.batch_size=100", "train.accumulate=1"]
    asked += ["scheduler=constant"]  # which does not ask how long the run is
    for folder, epochs in (("alone", 4), ("parted", 2)):
        done = cli("train", everything, *asked, f"train.epochs={epochs}", "--runs", folder)
        assert done.returncode == 0, done.stderr
        assert ", compiled" in done.stdout
    resumed = cli("train", "--resume", "parted/everything", "train.epochs=4")
    assert resumed.returncode == 0, resumed.stderr
    one, other = (last(everything.parent / folder / "everything") for folder in ("alone", "parted"))
    assert_same_state(one, other)
