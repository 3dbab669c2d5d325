"""Likely wrong labels: those that were planted are found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from cnnctl.config.source import parse_source
from cnnctl.diagnosis import folds
from cnnctl.diagnosis.wrong_labels import suspected
from cnnctl.experiment import complete
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.training import Training
from tests.conftest import TINY, invoke

PLANTED = 0.05
DATA = "{name: arrays, path: digits.npz, batch_size: 64, test: 0, validation: 0}"


@pytest.fixture(autouse=True)
def always_as_before(as_before: None) -> None:
    """Commands are run in-process here."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as arrays, every twentieth label wrong; wrong.npy has their positions."""
    images, labels = load_digits(return_X_y=True)
    generator = np.random.default_rng(0)
    wrong = generator.permutation(len(labels))[: round(PLANTED * len(labels))]
    labels[wrong] = (labels[wrong] + generator.integers(1, 10, len(wrong))) % 10
    folder = tmp_path_factory.mktemp("planted")
    pixels = (images * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
    np.savez(folder / "digits.npz", x=pixels, y=labels)
    np.save(folder / "wrong.npy", np.sort(wrong))
    config = TINY.replace("{name: digits, batch_size: 128}", DATA).replace("16", "64")
    (folder / "planted.yaml").write_text(config, encoding="utf-8")
    return folder


def test_planted_labels_are_found_by_cross_validation(planted: Path) -> None:
    learning = ("train.epochs=5", "optimizer={name: adam, lr: 0.005}")
    words = ("--labels", "--folds", "3", "-o", planted / "wrong.png", "--json")
    done = invoke("diagnose", planted / "planted.yaml", *learning, *words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["samples"], found["folds"], found["is_learned"]) == (1797, 3, False)
    suspects = {each["position"] for each in found["heads"][0]["suspects"]}
    wrong = set(np.load(planted / "wrong.npy").tolist())
    # 86 % and 87 % of 90 planted labels, after eight epochs
    assert len(suspects & wrong) / len(suspects) > 0.7
    assert len(suspects & wrong) / len(wrong) > 0.75
    with Image.open(planted / "wrong.png") as sheet:
        assert sheet.height > 1000  # 12 rows of 8


def test_the_labels_that_the_network_gives_least_are_first() -> None:
    # two classes; the last of each is given to the other with as much as its own samples get
    shares = torch.tensor([[0.9, 0.1]] * 9 + [[0.05, 0.95]] + [[0.1, 0.9]] * 9 + [[0.99, 0.01]])
    given = torch.tensor([0] * 10 + [1] * 10)
    assert [*suspected(given, shares.double())] == [19, 9]
    right = torch.cat([shares[:9], shares[10:19]])
    assert [*suspected(torch.tensor([0] * 9 + [1] * 9), right.double())] == []


def digits_setup() -> Setup:
    return set_up(complete(parse_source(TINY, Path("x.yaml")), "x", ("train.epochs=1",)))


def test_every_part_has_its_share_of_every_class() -> None:
    train = digits_setup().splits.train
    parts = folds._parts(train, 4, seed=0)
    counts = torch.stack([train.targets[parts == part].bincount() for part in range(4)])
    assert int((counts.amax(dim=0) - counts.amin(dim=0)).max()) <= 1
    assert int(counts.sum()) == len(train)
    assert not torch.equal(parts, folds._parts(train, 4, seed=1))


def test_no_network_is_asked_for_samples_that_it_learns_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setup, learned = digits_setup(), list[set[int]]()
    make = Training.of

    def training_of(fold: Setup, **more: object) -> Training:
        learned.append(set(fold.batches.train.positions.tolist()))
        return make(fold, observers=())

    monkeypatch.setattr(Training, "of", training_of)
    epochs = list[int]()
    answers = folds.cross_validated(setup, 3, advance=epochs.append)
    parts = folds._parts(setup.splits.train, 3, seed=setup.experiment.seed)
    whole = setup.splits.train.positions
    for part, seen in enumerate(learned):
        assert seen == set(whole[parts != part].tolist())
    assert torch.equal(answers.targets, setup.splits.train.targets)
    assert bool((answers.outputs != 0).any(dim=1).all())


def test_a_run_judges_the_test_split_and_says_what_it_has_learned(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("train", tiny, "train.epochs=6").exit_code == 0
    done = invoke("diagnose", "runs/tiny", "--labels", "-o", "wrong.png")
    assert done.exit_code == 0, done.output
    first, *_, last = done.stdout.splitlines()
    assert first.endswith("of 360 labels of the test split are likely wrong")
    assert last == "wrong.png"
    assert "note:" not in done.stdout
    agreement = json.loads(invoke("diagnose", "runs/tiny", "--labels", "--json").stdout)["heads"][0]
    accuracy = json.loads(invoke("eval", "runs/tiny", "--json").stdout)["accuracy"]
    assert agreement["agreement"] == accuracy
    learned = invoke("diagnose", "runs/tiny", "--labels", "--split", "train").stdout
    assert "note: the network has learned these labels" in learned


def test_a_poor_network_is_called_a_poor_judge(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("train", tiny, "train.epochs=1", "optimizer.lr=0.0001").exit_code == 0
    assert "is a poor judge" in invoke("diagnose", "runs/tiny", "--labels").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--labels"], "wrong labels are found by a trained network"),
        (["--folds", "3"], "--folds needs --labels"),
        (["--labels", "--folds", "3", "--split", "test"], "--folds is for the training split"),
        (["--labels", "-o", "wrong.jpg"], "use a file name ending in .png"),
        (["--labels", "--folds", "100", "data.batch_size=8", "data.validation=0.95"], "too few"),
        (["data=diabetes", "loss=mse", "--labels", "--folds", "2"], "only labels that are classes"),
    ],
)
def test_what_cannot_be_judged_is_refused(tiny: Path, words: list[str], message: str) -> None:
    layers = "model.layers=[flatten, {linear: 1}]" if "loss=mse" in words else "seed=1"
    done = invoke("diagnose", tiny, "train.epochs=1", layers, *words)
    assert done.exit_code != 0
    assert message in done.stderr


def test_a_missing_package_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    done = invoke("diagnose", tiny, "--labels")
    assert "pip install 'cnnctl[labels]'" in done.stderr
