"""The weights that are kept every few epochs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.checkpoint import load
from cnnctl.errors import FaultError
from cnnctl.snapshots import snapshots_of
from cnnctl.trained import open_trained
from tests.conftest import invoke


def trained(config: Path, *overrides: str) -> Path:
    done = invoke("train", config, *overrides, "--runs", config.parent / "runs")
    assert done.exit_code == 0, done.output
    return config.parent / "runs" / "tiny"


@pytest.mark.usefixtures("as_before")
def test_initial_every_second_and_last_weights_are_kept(tiny: Path) -> None:
    run = trained(tiny, "train.snapshots=2", "train.epochs=5", "data.validation=0")
    found = snapshots_of(run)
    assert list(found) == [0, 2, 4, 5]
    assert [open_trained(path).epoch for path in found.values()] == [0, 2, 4, 5]
    last, best = load(found[5]).weights, load(run / "checkpoints" / "best.safetensors").weights
    assert all(torch.equal(last[name], best[name]) for name in best)
    assert any(not torch.equal(load(found[0]).weights[name], last[name]) for name in last)


@pytest.mark.usefixtures("as_before")
def test_a_resumed_run_has_the_same_snapshots(tiny: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "tiny.yaml"
    other.parent.mkdir()
    other.write_bytes(tiny.read_bytes())
    alone = trained(tiny, "train.snapshots=1", "train.epochs=3")
    run = trained(other, "train.snapshots=1", "train.epochs=2")
    # as if it had been killed after an epoch whose checkpoint was not saved
    (run / "snapshots" / "epoch-000003.safetensors").write_bytes(b"cut")
    (run / "snapshots" / "epoch-000009.safetensors").write_bytes(b"of another time")
    done = invoke("train", other, "train.snapshots=1", "train.epochs=3", "--resume", run)
    assert done.exit_code == 0, done.output
    expected, found = snapshots_of(alone), snapshots_of(run)
    assert list(found) == list(expected) == [0, 1, 2, 3]
    for epoch, path in expected.items():
        weights, own = load(path).weights, load(found[epoch]).weights
        assert all(torch.equal(weights[name], own[name]) for name in weights)


@pytest.mark.usefixtures("as_before")
def test_without_the_option_there_are_none(tiny: Path) -> None:
    assert not snapshots_of(trained(tiny, "train.epochs=1"))


def test_links_are_no_snapshots(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "snapshots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FaultError, match=r"is a symbolic link|cannot be read"):
        snapshots_of(tmp_path / "run")
    (tmp_path / "run" / "snapshots").unlink()
    (tmp_path / "run" / "snapshots").mkdir()
    link = tmp_path / "run" / "snapshots" / "epoch-000001.safetensors"
    link.symlink_to(tmp_path / "elsewhere")
    assert snapshots_of(tmp_path / "run") == {}
