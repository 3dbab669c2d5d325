"""What a path on the command line means, and what is said of one that means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.checkpoint import Checkpoint, save
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import load
from cnnctl.sources import is_checkpoint, open_checkpoint, open_experiment


@pytest.fixture
def checkpoint(tmp_path: Path, tiny: Path) -> Path:
    """A checkpoint that holds an experiment and no weights."""
    path = tmp_path / "last.safetensors"
    save(Checkpoint({}, {"experiment": load(tiny).experiment.plain()}), path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FaultError) as caught:
        open_checkpoint(path)
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    assert all(fault.hint for fault in caught.value.faults)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pth", "a.ckpt"])
def test_weights_are_known_by_their_suffix(name: str, tmp_path: Path) -> None:
    assert is_checkpoint(tmp_path / name)
    assert is_checkpoint(tmp_path)
    assert not is_checkpoint(tmp_path / "a.yaml")
    assert not is_checkpoint(tmp_path / "a")


def test_an_experiment_is_read_from_a_file_or_a_checkpoint(tiny: Path, checkpoint: Path) -> None:
    one, other = open_experiment(tiny), open_experiment(checkpoint)
    assert one.experiment == other.experiment
    assert one.plan == other.plan


def test_a_checkpoint_takes_no_overrides(checkpoint: Path) -> None:
    with pytest.raises(
        FaultError, match=r"overrides do not apply to a checkpoint\n.*train\.epochs=3"
    ):
        open_experiment(checkpoint, ["train.epochs=3"])


def test_a_yaml_file_has_no_weights(tiny: Path) -> None:
    assert f"{tiny}: is a configuration without weights\n    run `cnnctl train {tiny}`" in refusal(
        tiny
    )


def test_a_pickle_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.ones(2)}, path)
    assert f"{path}: is a pickle" in refusal(path)
    with pytest.raises(FaultError, match="is a pickle"):
        open_experiment(path)


def test_a_folder_without_checkpoints_is_reported(tmp_path: Path) -> None:
    assert f"{tmp_path}: has no checkpoints" in refusal(tmp_path)


def test_an_option_that_this_version_does_not_know_is_a_fault(checkpoint: Path, tiny: Path) -> None:
    plain = {**load(tiny).experiment.plain(), "from_the_future": 1}
    save(Checkpoint({}, {"experiment": plain}), checkpoint)
    text = refusal(checkpoint)
    assert text.startswith(f"{checkpoint}: from_the_future: no such option")
    assert "update cnnctl" in text


def test_a_kind_of_a_plugin_says_which_plugin(checkpoint: Path, tiny: Path) -> None:
    plain = load(tiny).experiment.plain()
    plain["model"]["layers"].insert(1, {"doubled": {}})
    save(Checkpoint({}, {"experiment": {**plain, "plugins": ["/home/me/mine.py"]}}), checkpoint)
    text = refusal(checkpoint)
    assert "no layer is named doubled" in text
    assert "it was trained with /home/me/mine.py; add --plugin FILE" in text
