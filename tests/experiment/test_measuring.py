"""Class weights that are measured: when, on what, and where they are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from cnnctl.config.nodes import Place
from cnnctl.config.parsing import parse
from cnnctl.config.source import from_plain
from cnnctl.config.validation import validate
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Split
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment, Loaded, complete, fitted
from cnnctl.optim.losses import Loss
from cnnctl.optim.losses.classes import ClassLoss

ONE = """
data: {name: digits, validation: 0.3}
model: {layers: [flatten, linear: classes]}
loss: {name: cross_entropy, weight: balanced}
"""
HEADS = """
data: {name: digits, validation: 0.3}
model:
  layers: [flatten, linear: 8, {auxiliary: {layers: [linear: 10], head: digit}}, relu]
  heads:
    parity: {layers: [linear: classes], loss: {name: focal, weight: {effective_number: 0.99}}}
    digit: {layers: [linear: classes]}
loss: {name: cross_entropy, weight: balanced}
regularization: {label_smoothing: 0.1}
"""


def loaded(text: str) -> Loaded:
    return complete(parse(text, origin="x.yaml"), "x")


def training_split(of: Loaded) -> Split:
    return prepare(of.experiment.data, seed=of.experiment.seed, root=Path("none")).splits.train


def balanced(labels: Tensor) -> list[float]:
    """What scikit-learn computes."""
    known = labels.numpy()
    classes = torch.unique(labels).numpy()
    found: list[float] = compute_class_weight("balanced", classes=classes, y=known).tolist()
    return found


def weight_of(loss: Loss | None) -> object:
    assert isinstance(loss, ClassLoss)
    return loss.weight


def test_weights_are_those_of_the_training_split_without_validation() -> None:
    experiment = loaded(ONE)
    train = training_split(experiment)
    found = fitted(experiment.experiment, experiment.tasks, train)
    assert weight_of(found.loss) == pytest.approx(balanced(train.targets))
    whole = train.samples.targets
    assert weight_of(found.loss) != pytest.approx(balanced(whole))


def test_each_head_is_weighted_by_its_own_classes() -> None:
    experiment = loaded(HEADS)
    train = training_split(experiment)
    heads = fitted(experiment.experiment, experiment.tasks, train).model.heads
    assert weight_of(heads["digit"].loss) == pytest.approx(balanced(train.targets))
    parity = heads["parity"].loss
    assert isinstance(parity, Loss)
    counts = torch.bincount(train.targets % 2).tolist()
    assert parity.written()["weight"] == {"effective_number": 0.99, "counts": counts}


def test_an_auxiliary_classifier_has_the_weights_of_its_head() -> None:
    experiment = loaded(HEADS)
    known = fitted(experiment.experiment, experiment.tasks, training_split(experiment))
    parity, digit, aside = replace(experiment, experiment=known).tasks
    assert aside.loss == digit.loss
    assert digit.loss.options()["label_smoothing"] == 0.1
    assert [task.loss.is_fitted for task in (parity, digit, aside)] == [True] * 3


@pytest.mark.parametrize("text", [ONE, HEADS])
def test_what_is_measured_is_read_back_and_not_measured_again(text: str) -> None:
    experiment = loaded(text)
    train = training_split(experiment)
    known = fitted(experiment.experiment, experiment.tasks, train)
    again = validate(Experiment, from_plain(known.plain(), Place("config.yaml")))
    assert again == known
    few = replace(train, positions=train.positions[:50])
    read = complete(from_plain(known.plain(), Place("config.yaml")), "x")
    assert fitted(read.experiment, read.tasks, few) == known


def test_an_experiment_without_weights_to_measure_stays_as_it_is() -> None:
    plain = loaded(ONE.replace(", weight: balanced", ""))
    assert fitted(plain.experiment, plain.tasks, training_split(plain)) is plain.experiment


def test_heads_that_share_given_weights_have_no_loss_of_their_own() -> None:
    text = HEADS.replace("cross_entropy, weight: balanced", "cross_entropy")
    assert loaded(text).experiment.model.heads["digit"].loss is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (ONE, "x.yaml:4:37: loss.weight: no training samples of class 7 "),
        (HEADS, "x.yaml:7:12: model.heads.digit.loss.weight: no training samples of class 7 "),
    ],
)
def test_a_class_without_a_training_sample_is_blamed_on_the_loss(text: str, place: str) -> None:
    experiment = loaded(text)
    train = training_split(experiment)
    without = replace(train, positions=train.positions[train.targets != 7])
    with pytest.raises(FaultError) as caught, experiment.places():
        fitted(experiment.experiment, experiment.tasks, without)
    assert str(caught.value).startswith(place)


def test_a_head_for_values_takes_no_class_weights() -> None:
    text = """
data: {name: inline, inputs: [[0], [1]], targets: {side: [0, 1], place: [[0.5], [1]]}}
model:
  layers: [linear: 3]
  heads: {side: {layers: [linear: classes]}, place: {layers: [linear: 1]}}
loss: {name: cross_entropy, weight: balanced}
"""
    with pytest.raises(FaultError, match="cross_entropy needs classes, but the data has regr"):
        loaded(text)
