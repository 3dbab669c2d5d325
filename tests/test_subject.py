"""The network that commands look at is that of training, and so are its samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.evaluation.evaluate import evaluate
from cnnctl.experiment import load
from cnnctl.subject import Subject, open_subject
from cnnctl.training.setup import set_up
from tests.conftest import invoke


@pytest.fixture
def run(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tiny.parent)
    assert invoke("train", tiny, "train.epochs=1").exit_code == 0
    return tiny.parent / "runs" / "tiny"


@pytest.fixture
def subject(tiny: Path) -> Subject:
    return open_subject(tiny, device="cpu")


def test_a_file_gives_the_weights_that_training_starts_from(tiny: Path, subject: Subject) -> None:
    started = set_up(load(tiny)).assemble().network.state_dict()
    own = subject.trained.network.state_dict()
    assert own.keys() == started.keys()
    assert all(torch.equal(own[name], started[name]) for name in own)
    assert not subject.is_trained
    assert not subject.trained.network.training


def test_a_run_gives_its_weights_and_the_outputs_of_eval(run: Path) -> None:
    subject = open_subject(run, device="cpu")
    measured = evaluate(subject.trained, split=None, batch_size=None).to_json()
    split, batches = subject.split()
    right = 0
    for inputs, targets in batches.in_order(batch_size=64):
        right += int((subject.trained.network(inputs).argmax(1) == targets).sum())
    assert subject.is_trained
    assert right / len(split) == pytest.approx(measured["accuracy"], abs=2e-3)


def test_chosen_samples_are_those_of_the_split(subject: Subject) -> None:
    split, _ = subject.split("validation")
    chosen = subject.chosen([3, 0], "validation")
    rows = split.positions[torch.tensor([3, 0])]
    stored = split.samples.rows.take(rows)
    assert torch.allclose(subject.in_units(chosen.inputs), stored / 255, atol=1e-6)
    assert chosen.targets is not None
    assert torch.equal(chosen.targets, split.targets[torch.tensor([3, 0])])
    assert chosen.names == ("validation 3", "validation 0")


def test_a_file_and_the_same_numbers_are_the_same_input(subject: Subject, tmp_path: Path) -> None:
    chosen = subject.chosen([5])
    pixels = subject.in_units(chosen.inputs)
    written = ", ".join(str(value) for value in pixels.flatten().tolist())
    assert torch.allclose(subject.numbers(written).inputs, chosen.inputs, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [("1,2", "--input has 2 numbers, not"), ("1,zwei", "'zwei' is not a finite number")],
)
def test_numbers_that_do_not_fit(subject: Subject, words: str, message: str) -> None:
    with pytest.raises(FaultError, match=message):
        subject.numbers(words)


def test_samples_that_are_not_there(subject: Subject) -> None:
    with pytest.raises(FaultError, match="the test split has no sample 99,999"):
        subject.chosen([99_999], "test")


def test_overrides_of_a_checkpoint_are_refused(run: Path) -> None:
    with pytest.raises(FaultError, match="overrides do not apply"):
        open_subject(run, ["train.epochs=3"])
