"""`cnnctl.train`: the same runs as those of the command, without what belongs to a process."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cnnctl import Evaluation, FaultError, Run, evaluate, train
from cnnctl.api import training
from cnnctl.training.training import Training
from tests.conftest import TINY, invoke, rows_of


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoints" / "last.safetensors")


def test_a_run_is_that_of_the_command(
    run: Run, tmp_path: Path, tiny: Path, as_before: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("train", tiny, "--runs", tmp_path / "runs").exit_code == 0
    theirs = tmp_path / "runs" / "tiny"
    assert rows_of(run.folder) == rows_of(theirs)
    mine, others = weights(run.folder), weights(theirs)
    assert mine.keys() == others.keys()
    assert all(torch.equal(mine[name], others[name]) for name in mine)
    assert {each.name for each in run.folder.iterdir()} == {each.name for each in theirs.iterdir()}
    assert capsys.readouterr() == ("", "")


def test_it_says_how_it_went(run: Run) -> None:
    assert [row["epoch"] for row in run.metrics] == [1, 2]
    assert run.metrics[0]["val_accuracy"] > 0.1
    assert run.result["state"] == "finished"
    assert run.checkpoint == run.folder / "checkpoints" / "best.safetensors"
    assert Run(run.folder) == Run(str(run.folder)) == run  # type: ignore[arg-type]
    measured = run.evaluate(device="cpu")
    assert measured["accuracy"] == pytest.approx(run.result["test"]["accuracy"])


def test_options_and_text_are_recorded_as_those_of_the_command(runs: Path) -> None:
    run = train(TINY, name="recorded", train={"epochs": 1}, seed=3, runs=runs, progress=False)
    source = (run.folder / "config.source.yaml").read_text(encoding="utf-8")
    assert source == f"# overrides: name=recorded train.epochs=1 seed=3\n{TINY}"
    assert run.load().config["seed"] == 3
    again = train(source, name="again", runs=runs, progress=False, train={"epochs": 1}, seed=3)
    assert rows_of(again.folder) == rows_of(run.folder)


def test_it_is_resumed_to_the_same_weights(runs: Path, run: Run) -> None:
    started = train(TINY, name="resumed", train={"epochs": 1}, runs=runs, progress=False)
    for resume in (started, started.folder, True):
        source = TINY if resume is True else None
        resumed = train(
            source,
            name="resumed",
            resume=resume,
            train={"epochs": 2},
            runs=runs,
            progress=False,
        )
        assert resumed == started
    assert rows_of(resumed.folder) == rows_of(run.folder)
    mine, others = weights(resumed.folder), weights(run.folder)
    assert all(torch.equal(mine[name], others[name]) for name in mine)


def test_progress_is_printed_unless_it_is_not_wanted(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(TINY, name="shown", train={"epochs": 1}, runs=runs)
    shown = capsys.readouterr().out
    for part in ("shown: 1,210 parameters", "epoch 1/1", "test: loss"):
        assert part in shown
    assert "next:" not in shown


def test_a_training_may_be_profiled(runs: Path) -> None:
    profiled = train("lenet", train={"epochs": 1}, runs=runs, progress=False, profile=True)
    assert list((profiled.folder / "profile").glob("*.pt.trace.json.gz"))


def test_a_notebook_gets_lines_of_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    console = training._console(True)
    assert not console.is_jupyter
    assert not console.is_terminal
    assert training._console(False).quiet


def interrupt_next(monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """Send so many signals to this process at the first step of the next training."""
    train_epoch, left = Training.train_epoch, [times]

    def interrupted(training: Training) -> bool:
        signals, left[0] = left[0], 0
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGINT)
        return train_epoch(training)

    monkeypatch.setattr(Training, "train_epoch", interrupted)


def test_an_interrupt_saves_the_state_and_is_raised(
    monkeypatch: pytest.MonkeyPatch, runs: Path, run: Run
) -> None:
    before = signal.getsignal(signal.SIGINT)
    interrupt_next(monkeypatch, times=1)
    with pytest.raises(KeyboardInterrupt, match=r"resume it with cnnctl\.train\(resume='"):
        train(TINY, name="stopped", runs=runs, progress=False)
    assert signal.getsignal(signal.SIGINT) is before
    stopped = Run(runs / "stopped")
    assert stopped.result["state"] == "stopped"
    resumed = train(resume=stopped, runs=runs, progress=False)
    assert rows_of(resumed.folder) == rows_of(run.folder)


def test_a_second_interrupt_does_not_wait(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    interrupt_next(monkeypatch, times=2)
    with pytest.raises(KeyboardInterrupt) as caught:
        train(TINY, name="hurried", runs=runs, progress=False)
    assert not caught.value.args
    assert train(resume=runs / "hurried", progress=False).result["state"] == "finished"


def test_another_thread_can_train(runs: Path, run: Run) -> None:
    done: list[Run] = []
    thread = threading.Thread(
        target=lambda: done.append(train(TINY, name="thread", runs=runs, progress=False))
    )
    thread.start()
    thread.join()
    assert rows_of(done[0].folder) == rows_of(run.folder)


def test_the_process_is_left_as_it_was(runs: Path) -> None:
    cudnn = torch.backends.cudnn
    threads, flags = torch.get_num_threads(), (cudnn.deterministic, cudnn.benchmark)
    state = torch.get_rng_state()
    options = {"train.threads": 1, "train.precision": "bf16", "train.epochs": 1}
    train(TINY, name="left", overrides=options, runs=runs, progress=False)
    assert torch.get_num_threads() == threads
    assert (cudnn.deterministic, cudnn.benchmark) == flags
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.equal(torch.get_rng_state(), state)


def test_what_the_caller_chose_for_tensors_changes_nothing(runs: Path, run: Run) -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            other = train(TINY, name="strange", runs=runs, progress=False)
            answers = other.load(device="cpu").predict(np.zeros((8, 8), np.uint8))
        assert torch.empty(1).device.type == "meta"
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert rows_of(other.folder) == rows_of(run.folder)
    assert answers == run.load(device="cpu").predict(np.zeros((8, 8), np.uint8))


def test_faults_are_raised_and_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"<string>:8:28: optimizer\.lr: ") as caught:
        train(TINY.replace("lr: 0.1", "lr: -1"), runs=tmp_path, progress=False)
    assert caught.value.exit_code == 2
    with pytest.raises(FaultError, match="no experiment given"):
        train(runs=tmp_path)
    with pytest.raises(FaultError, match="is a network of the zoo, not an experiment"):
        train("resnet18", runs=tmp_path)
    with pytest.raises(FaultError, match="no run to resume"):
        train(TINY, resume=True, runs=tmp_path)
    with pytest.raises(FaultError, match="no such run folder or checkpoint"):
        train(resume=tmp_path / "größe")
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges_is_a_fault(runs: Path) -> None:
    with pytest.raises(FaultError) as caught:
        train(TINY, name="wild", optimizer={"lr": 1e30}, runs=runs, progress=False)
    assert caught.value.exit_code == 7
    assert Run(runs / "wild").result["state"] == "diverged"


def test_an_evaluation_has_the_facts_of_the_command(run: Run, as_before: None) -> None:
    done = invoke("eval", run.folder, "--json", "--device", "cpu", "--split", "validation")
    theirs = json.loads(done.stdout)
    found = evaluate(run, split="validation", device="cpu")
    assert found.to_json() == theirs
    assert (found.split, found.samples, found.epoch) == ("validation", 144, theirs["epoch"])
    assert (found.loss, found["accuracy"]) == (theirs["loss"], theirs["accuracy"])
    own = evaluate(run.load(device="cpu"), split="validation")
    assert own.to_json() == theirs | {"checkpoint": None}
    assert isinstance(own, Evaluation)
    assert "validation split, epoch 2\nloss " in str(found)
    assert "accuracy" in found._repr_html_()
    with pytest.raises(FaultError, match="has no weights"):
        evaluate("lenet")
