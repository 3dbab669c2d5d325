"""Small data, and estimators that are fitted to it in a few hundredths of a second."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_iris

from cnnctl.sklearn import Classifier, Regressor

Array = NDArray[Any]
MLP = "model:\n  layers: [linear: 8, relu, linear: classes]\ntrain: {epochs: 3}\n"
CNN = """\
data: {batch_size: 64, validation: 0}
model:
  layers:
    - conv: {out_channels: 8, padding: same}
    - relu
    - max_pool
    - flatten
    - linear: classes
optimizer: {name: adam, lr: 0.01}
train: {epochs: 4}
"""


@cache
def iris() -> tuple[Array, Array]:
    """Measurements (150, 4), and species as texts."""
    data = load_iris()
    return data.data, data.target_names[data.target]


@cache
def pictures(dtype: str) -> tuple[Array, Array]:
    """Digits (1797, 1, 8, 8) from 0 to 16, and their numbers."""
    data = load_digits()
    return data.images[:, None].astype(dtype), data.target


def fitted(**parameters: Any) -> Classifier:
    """A classifier that was fitted to iris."""
    return Classifier(**{"config": MLP, "random_state": 0, **parameters}).fit(*iris())


def line(samples: int = 80) -> tuple[Array, Array]:
    """Two features, and a value around 1,000 that is linear in them, with a spread of 200."""
    inputs = np.random.RandomState(0).normal(size=(samples, 2))
    return inputs, 1000 + 200 * inputs[:, 0] - 100 * inputs[:, 1]


def regressor(**parameters: Any) -> Regressor:
    """A regressor that learns `line` within 20 epochs."""
    network = {"model": {"layers": [{"linear": "classes"}]}, "data": {"batch_size": 8}}
    given = {"config": network, "optimizer": {"name": "adam", "lr": 0.05}, "train__epochs": 20}
    return Regressor(**{**given, "random_state": 0, **parameters})
