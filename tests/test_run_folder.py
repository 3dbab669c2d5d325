"""A run has its folder to itself, and what stands in it can be read after a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnctl import run_folder
from cnnctl.checkpoint import Checkpoint, load
from cnnctl.config.source import read_file
from cnnctl.errors import ExitCode, FaultError
from cnnctl.run_files import Metrics, is_in_use, read_metrics, read_result
from cnnctl.run_folder import RunFolder, create, reopen
from cnnctl.run_lookup import find_checkpoint, folder_of, newest

NOTHING = Checkpoint({}, {})


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return create(tmp_path / "runs", "lenet")


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    names = [create(tmp_path, "lenet").path.name for _ in range(3)]
    assert names == ["lenet", "lenet-2", "lenet-3"]
    (tmp_path / "lenet-4").write_text("a file", encoding="utf-8")
    assert create(tmp_path, "lenet").path.name == "lenet-5"


def test_folders_above_are_made(tmp_path: Path) -> None:
    assert create(tmp_path / "a" / "b", "ä ö").path == tmp_path / "a" / "b" / "ä ö"


@pytest.mark.parametrize("below", ["", "more/runs"])
def test_a_file_where_the_folder_should_be_is_a_fault(tmp_path: Path, below: str) -> None:
    (tmp_path / "runs").write_text("a file", encoding="utf-8")
    with pytest.raises(FaultError) as caught:
        create(tmp_path / "runs" / below, "lenet")
    assert caught.value.exit_code is ExitCode.STORAGE
    assert "a file has this name; choose a folder with --runs" in str(caught.value)


def test_a_folder_in_use_is_refused_until_it_is_let_go(folder: RunFolder) -> None:
    folder.save_last(NOTHING)
    with pytest.raises(FaultError, match="is in use by another run") as caught:
        reopen(folder.path)
    assert caught.value.exit_code is ExitCode.IN_USE
    folder.close()
    reopen(folder.path).close()


def test_a_new_folder_that_no_training_began_in_goes_again(folder: RunFolder) -> None:
    folder.write_source("text")
    folder.close()
    assert not folder.path.exists()
    assert create(folder.path.parent, "lenet").path == folder.path


def test_an_old_folder_stays_whatever_is_missing_in_it(folder: RunFolder) -> None:
    folder.save_last(NOTHING)
    folder.close()
    again = reopen(folder.path)
    folder.last.unlink()
    again.close()
    assert folder.path.exists()


@pytest.mark.parametrize("kept", ["last", "best"])
def test_a_new_folder_in_which_something_was_saved_stays(folder: RunFolder, kept: str) -> None:
    folder.save_last(NOTHING)
    folder.save_best(NOTHING)
    # moved away at the end, say, on a disk that is full then
    (folder.last if kept == "best" else folder.best).unlink()
    folder.close()
    assert (folder.path / "checkpoints" / f"{kept}.safetensors").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, FaultError])
def test_a_start_that_is_interrupted_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def interrupt(path: Path) -> RunFolder:
        raise stop

    monkeypatch.setattr(run_folder, "reopen", interrupt)
    with pytest.raises(stop):
        create(tmp_path, "lenet")
    assert not list(tmp_path.iterdir())


DAMAGED = [b"{", b"null", b"3", b'{"epoch": "1"}', b'{"epoch": 1, "loss": [1]}', b"\0\0\0", b"\xff"]
DAMAGED += [b"[" * 100_000, b'{"epoch": 1.5}', b"", b'{"epoch": true}']


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_is_dropped_and_counted(folder: RunFolder, line: bytes) -> None:
    good = [{"epoch": epoch, "loss": 0.5} for epoch in (1, 2)]
    lines = [json.dumps(row).encode() for row in good]
    folder.metrics.write_bytes(b"\n".join([lines[0], line, lines[1], b""]))
    assert read_metrics(folder.path) == Metrics(good, damaged=1)
    assert folder.keep_metrics(through_epoch=2) == 1
    assert read_metrics(folder.path) == Metrics(good)


def test_how_a_run_ended_is_read_back_until_it_goes_on(folder: RunFolder) -> None:
    assert read_result(folder.path) == {}
    folder.write_result({"state": "stopped", "test": None})
    assert read_result(folder.path) == {"state": "stopped", "test": None}
    folder.remove_result()
    assert read_result(folder.path) == {}
    for damaged in (b"{", b"[]", b"\xff", b"[" * 100_000):
        (folder.path / "result.json").write_bytes(damaged)
        assert read_result(folder.path) == {}


def test_a_lock_is_seen_as_long_as_it_is_held(folder: RunFolder) -> None:
    assert is_in_use(folder.path)
    folder.save_last(NOTHING)
    folder.close()
    assert not is_in_use(folder.path)
    again = reopen(folder.path)
    assert is_in_use(folder.path)
    again.close()


def test_rows_are_read_back(folder: RunFolder) -> None:
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    assert read_metrics(folder.path).rows == []
    for row in rows:
        folder.append_metrics(row)
    assert read_metrics(folder.path).rows == rows
    lines = folder.metrics.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_line_cut_short_by_a_crash_is_repaired(folder: RunFolder, cut: int) -> None:
    for epoch in (1, 2):
        folder.append_metrics({"epoch": epoch, "loss": 0.5})
    content = folder.metrics.read_bytes()
    folder.metrics.write_bytes(content[:-cut])
    folder.keep_metrics(through_epoch=2)
    folder.append_metrics({"epoch": 2, "loss": 0.25})
    assert read_metrics(folder.path).rows == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]


def test_epochs_that_are_repeated_lose_their_lines(folder: RunFolder) -> None:
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch})
    folder.keep_metrics(through_epoch=1)
    assert read_metrics(folder.path).rows == [{"epoch": 1}]


def test_the_experiment_can_be_read_again(folder: RunFolder) -> None:
    plain = {"name": "größe", "data": {"mean": [0.1], "size": None}, "train": {"lr": 1e-05}}
    folder.write_config(plain)
    assert read_file(folder.path / "config.yaml").plain() == plain


def finished(runs: Path, name: str) -> Path:
    folder = create(runs, name)
    folder.save_last(NOTHING)
    folder.close()
    return folder.path


def test_the_newest_run_has_the_highest_number(tmp_path: Path) -> None:
    for _ in range(11):
        newest_one = finished(tmp_path, "lenet")
    finished(tmp_path, "lenet-mnist")
    assert newest_one.name == "lenet-11"
    assert newest(tmp_path, "lenet") == newest_one


def test_a_run_without_a_checkpoint_is_not_resumed(tmp_path: Path) -> None:
    first = finished(tmp_path, "lenet")
    create(tmp_path, "lenet")
    assert newest(tmp_path, "lenet") == first


@pytest.mark.parametrize("runs", ["runs", "nowhere"])
def test_no_run_to_resume_is_reported(tmp_path: Path, runs: str) -> None:
    finished(tmp_path / "runs", "another")
    with pytest.raises(FaultError, match="no run to resume") as caught:
        newest(tmp_path / runs, "lenet")
    assert caught.value.exit_code is ExitCode.CHECKPOINT


def test_a_run_folder_means_its_best_weights_else_its_last(folder: RunFolder) -> None:
    with pytest.raises(FaultError, match="has no checkpoints"):
        find_checkpoint(folder.path)
    folder.save_last(NOTHING)
    assert find_checkpoint(folder.path) == folder.last
    folder.save_best(NOTHING)
    assert find_checkpoint(folder.path) == folder.best
    assert find_checkpoint(folder.last) == folder.last


def test_a_checkpoint_knows_its_run_folder(folder: RunFolder, tmp_path: Path) -> None:
    assert folder_of(folder.last) is None
    folder.write_config({})
    assert folder_of(folder.last) == folder.path
    assert folder_of(tmp_path / "last.safetensors") is None


def test_a_checkpoint_is_replaced(folder: RunFolder) -> None:
    for number in (1, 2):
        folder.save_last(Checkpoint({}, {"number": number}))
    assert load(folder.last).document["number"] == 2
    assert [path.name for path in folder.last.parent.iterdir()] == ["last.safetensors"]


def test_what_was_saved_keeps_its_folder_though_a_signal_came_before_that_was_noted(
    tmp_path: Path,
) -> None:
    folder = create(tmp_path, "new")
    folder.last.parent.mkdir(exist_ok=True)
    folder.last.write_bytes(b"saved")
    folder.close()
    assert folder.last.read_bytes() == b"saved"
