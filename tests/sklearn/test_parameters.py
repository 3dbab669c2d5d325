from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from torch import nn

from cnnctl.errors import FaultError
from cnnctl.sklearn import Classifier
from cnnctl.sklearn.parameters import is_option
from tests.sklearn.examples import MLP, fitted, iris


def first_layer(classifier: Classifier) -> nn.Linear:
    network = classifier.network_
    assert isinstance(network, nn.Sequential)
    layer = network[0]
    assert isinstance(layer, nn.Linear)
    return layer


def test_options_are_parameters_that_can_be_read_set_and_cloned() -> None:
    classifier = Classifier(MLP, optimizer__lr=0.5, random_state=1)
    classifier.set_params(model__layers__0__linear=5, verbose=False)
    params = classifier.get_params()
    assert (params["optimizer__lr"], params["model__layers__0__linear"]) == (0.5, 5)
    copy = clone(classifier)
    assert copy.get_params() == params
    assert copy is not classifier
    assert "optimizer__lr=0.5" in repr(copy)


def test_options_reach_the_experiment() -> None:
    classifier = fitted(
        optimizer={"name": "adam", "lr": 0.5},
        optimizer__lr=np.float64(0.25),
        model__layers__0__linear=np.int64(5),
        train__epochs=1,
    )
    experiment = classifier._fitted.trained.experiment
    assert experiment.optimizer.written()["lr"] == 0.25
    assert first_layer(classifier).out_features == 5
    assert experiment.train.epochs == classifier.n_iter_ == 1


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("optimizer__lr", True),
        ("model__layers__0__linear", True),
        ("optimizer", False),
        ("optimizer__", False),
        ("seed__x", False),
        ("lr", False),
    ],
)
def test_an_option_is_in_a_section(name: str, is_one: bool) -> None:
    assert is_option(name) == is_one


def test_setting_an_unknown_parameter_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'lr' for estimator Classifier"):
        Classifier().set_params(lr=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 1}, "no parameter is named lr\n    write optimizer__lr"),
        ({"verbos": True}, "no parameter is named verbos\n    did you mean verbose?"),
        ({"optimizer": "sgd", "optimizer__lrr": 1}, "no such option\n    did you mean lr?"),
        ({"optimizer": {"name": "sgd"}, "optimizer__lr": -1}, "-1 is too small"),
        ({"data__bach_size": 3}, "no such option\n    did you mean batch_size?"),
        ({"config": "resnet19"}, "did you mean resnet18"),
        ({"config": "run/best.safetensors"}, "is a run folder or a checkpoint"),
        ({"config": "nowhere/x.yaml"}, "nowhere/x.yaml: no such file"),
        ({"device": "gpu"}, "train.device: gpu is not a device"),
        ({"random_state": -1}, "-1 is too small"),
    ],
)
def test_faults_of_parameters_are_found_when_fitting(given: dict[str, Any], message: str) -> None:
    inputs, species = iris()
    with pytest.raises(FaultError) as error:
        Classifier(**{"config": MLP, **given}).fit(inputs, species)
    assert message in str(error.value)


CONFIGS = {
    "text": MLP,
    "mapping": {
        "model": {"layers": [{"linear": 8}, "relu", {"linear": "classes"}]},
        "train": {"epochs": 3},
    },
}


def test_a_configuration_is_text_a_mapping_a_file_or_a_path(tmp_path: Path) -> None:
    file = tmp_path / "mlp.yaml"
    file.write_text(MLP, encoding="utf-8")
    inputs, _ = iris()
    found = [
        fitted(config=config).predict_proba(inputs)
        for config in (*CONFIGS.values(), file, str(file))
    ]
    assert all(np.array_equal(each, found[0]) for each in found[1:])


def test_a_network_of_the_zoo_is_a_configuration() -> None:
    inputs, species = iris()
    classifier = Classifier("mlp", train__epochs=1, random_state=0).fit(inputs, species)
    assert classifier.predict_proba(inputs).shape == (150, 3)


def test_batches_are_no_larger_than_the_data() -> None:
    inputs, species = iris()
    few = Classifier(MLP, data={"batch_size": 500}, random_state=0).fit(
        inputs[40:60], species[40:60]
    )
    assert few._fitted.trained.experiment.data.batch_size == "all"
    assert fitted(data__batch_size=50)._fitted.trained.experiment.data.batch_size == 50


def test_options_of_the_data_are_kept_and_its_source_is_replaced() -> None:
    config = MLP + "data: {name: moons, noise: 0.5, batch_size: 30, validation: 0.2}\n"
    classifier = fitted(config=config)
    data = classifier._fitted.trained.experiment.data
    assert (data.kind, data.batch_size, data.validation) == ("memory", 30, 0.2)
    assert data.describe().train_samples == 120
    assert "val_accuracy" in classifier.history_[0]


def test_the_seed_is_that_of_random_state_or_else_of_the_configuration() -> None:
    def seed(**given: Any) -> int:
        return fitted(**{"train__epochs": 1, **given})._fitted.trained.experiment.seed

    own = MLP + "seed: 5\n"
    assert seed(config=own, random_state=None) == 5
    assert seed(config=own, random_state=3) == 3
    states = [np.random.RandomState(1) for _ in range(2)]
    assert seed(random_state=states[0]) == seed(random_state=states[1])
    assert seed(random_state=states[0]) != seed(random_state=None) != seed(random_state=None)
