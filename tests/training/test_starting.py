"""Where a training begins, without its process; test_resume goes the whole way."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cnnctl import run_folder
from cnnctl.checkpoint import Checkpoint
from cnnctl.console import Screen
from cnnctl.errors import ExitCode, FaultError
from cnnctl.model import network
from cnnctl.model.network import NetworkPlan
from cnnctl.storage import write_atomically
from cnnctl.training import recipe
from cnnctl.training.starting import begin_run, resume_run

RUNS = Path("runs")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_new_run_keeps_the_file_as_it_was_written_and_the_overrides(tiny: Path) -> None:
    text = tiny.read_text(encoding="utf-8") + "# käse\n"
    tiny.write_text(text, encoding="utf-8-sig")
    start = begin_run(tiny, ["train.epochs=3", "data.normalize={mean: [0], std: [1]}"], runs=RUNS)
    source = (start.folder.path / "config.source.yaml").read_text(encoding="utf-8")
    overrides = "# overrides: train.epochs=3 'data.normalize={mean: [0], std: [1]}'\n"
    assert source == overrides + text
    assert start.checkpoint is None


def test_an_experiment_with_faults_makes_no_folder(tiny: Path) -> None:
    with pytest.raises(FaultError):
        begin_run(tiny, ["train.epochs=0"], runs=RUNS)
    assert not RUNS.exists()


def test_a_folder_that_cannot_be_written_to_is_given_up(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, content: bytes) -> None:
        raise FaultError(exit_code=ExitCode.STORAGE)

    monkeypatch.setattr(run_folder, "write_atomically", fail)
    with pytest.raises(FaultError):
        begin_run(tiny, [], runs=RUNS)
    assert not list(RUNS.iterdir())


def refused(resume: str, config: Path | None = None) -> str:
    with pytest.raises(FaultError) as caught:
        resume_run(config, [], resume, runs=RUNS)
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    return str(caught.value)


def test_a_run_that_is_not_there_is_reported() -> None:
    assert "runs/tniy: no such run folder or checkpoint" in refused("runs/tniy")


def test_a_checkpoint_that_lies_in_no_run_folder_is_not_resumed(tmp_path: Path) -> None:
    write_atomically(tmp_path / "last.safetensors", b"x")
    assert "is not in a run folder" in refused("last.safetensors")


def test_a_damaged_checkpoint_lets_go_of_the_folder_and_leaves_it(tiny: Path) -> None:
    folder = begin_run(tiny, [], runs=RUNS).folder
    folder.write_config({})
    folder.save_last(Checkpoint({}, {}))
    write_atomically(folder.last, b"damaged")
    folder.close()
    for _ in range(2):
        assert "is cut short, damaged" in refused("runs/tiny")
    assert folder.last.read_bytes() == b"damaged"


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[NetworkPlan]:
    """Every plan that is made from here on."""
    plans: list[NetworkPlan] = []
    plan = network.plan

    def noting(*arguments: Any, **more: Any) -> NetworkPlan:
        plans.append(plan(*arguments, **more))
        return plans[-1]

    monkeypatch.setattr(network, "plan", noting)
    return plans


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.usefixtures("as_before")
def test_resuming_plans_the_network_once(
    with_file: bool, tiny: Path, planned: list[NetworkPlan]
) -> None:
    start = begin_run(tiny, [], runs=RUNS)
    with closing(start.folder):
        recipe.train(start, data_root=Path("data"), console=Screen(quiet=True))
    planned.clear()
    config, run = (tiny, "") if with_file else (None, "runs/tiny")
    resumed = resume_run(config, ["train.epochs=3"], run, runs=RUNS)
    resumed.folder.close()
    assert resumed.loaded.experiment.train.epochs == 3
    assert planned == [resumed.loaded.plan]
