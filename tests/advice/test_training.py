"""Advice on what trains badly, and silence on its near misses, which train well.

The accuracy of each is in the docstrings of the checks.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from tests.advice.conftest import advice

IMAGES = {"name": "mnist", "batch_size": 64}
ADAM = {"name": "adam", "lr": 0.001}
HEAD: list[Any] = ["flatten", {"linear": "classes"}]
CONSTANT = {"name": "constant", "val": 0.01}


def linear(width: int | str = 64, *, init: Any = None) -> dict[str, Any]:
    own = {"init": init} if init else {}
    return {"linear": {"out_features": width, **own}}


def mlp(*widths: int, act: str = "relu", inits: tuple[Any, ...] = ()) -> list[Any]:
    """Hidden layers of these widths, then the classes; `inits` are those of the first layers."""
    starts = (*inits, *[None] * (len(widths) + 1 - len(inits)))
    pairs = zip(widths, starts[: len(widths)], strict=True)
    hidden = chain.from_iterable((linear(width, init=init), act) for width, init in pairs)
    return ["flatten", *hidden, linear("classes", init=starts[-1])]


def plain(layers: list[Any], **sections: Any) -> dict[str, str]:
    """The advice for MNIST under Adam, unless told otherwise."""
    return advice(layers, **{"data": IMAGES, "optimizer": ADAM} | sections)


def conv(channels: int, **options: Any) -> dict[str, Any]:
    return {"conv": {"out_channels": channels, **options}}


def pooled(*convolutions: dict[str, Any]) -> list[Any]:
    seen = chain.from_iterable((each, "relu") for each in convolutions)
    return [*seen, "global_avg_pool", HEAD[1]]


def residual(count: int, **options: Any) -> list[Any]:
    block = {"residual": {"layers": [linear(), "relu", linear(**options)]}}
    return ["flatten", linear(), "relu", *[block] * count, linear("classes")]


DEEP = {"name": "normal", "std": 0.25}
BRANCHES = {"ways": [[linear(), "softmax"], []], "join": "multiply"}
GATE: list[Any] = ["flatten", linear(), {"branches": BRANCHES}, linear("classes")]
BLOCK_STRIDE = {
    "residual": {
        "layers": [conv(16, stride=2, padding=1)],
        "shortcut": [conv(16, kernel_size=1, stride=2)],
    }
}
WRITTEN = {"name": "values", "values": [[1, 1], [1, 1]]}
UNBIASED = {"linear": {"out_features": 999, "bias": False}}
WIDE = {"linear": {"out_features": 9, "bias": False, "init": "uniform"}}
FIXED = {"linear": {"out_features": 8, "name": "fixed"}}

PLANTED: dict[str, tuple[list[Any], dict[str, Any], str, str]] = {
    "all weights equal": (mlp(100), {"init": CONSTANT}, "model.init", "stay equal"),
    "all weights written equal": (
        [linear(2, init=WRITTEN), "tanh", linear("classes", init="ones")],
        {"data": {"name": "moons", "batch_size": 64}},
        "model.layers.0.linear.init",
        "stay equal",
    ),
    "two of three layers equal": (
        mlp(100, 100, inits=(CONSTANT, CONSTANT)),
        {},
        "model.layers.1.linear.init",
        "stay equal",
    ),
    "zeros before relu": (mlp(9, inits=("zeros",)), {}, "model.layers.1.linear.init", "at zero"),
    "large weights": (mlp(100, 100), {"init": DEEP}, "model.init", "5 times sqrt(2 / fan_in)"),
    "uniform from 0 to 1": (mlp(100), {"init": "uniform"}, "model.init", "11 times sqrt"),
    "no rate": (mlp(9), {"optimizer": "sgd", "data": "digits"}, "optimizer.lr", "sgd at 0.001"),
    "a schedule that never acts": (
        mlp(9),
        {"scheduler": {"name": "step", "step_size": 30}},
        "scheduler",
        "step leaves the rate as it is, so that it never acts in 10 epochs",
    ),
    "milestones beyond the end": (
        mlp(9),
        {"scheduler": {"name": "multi_step", "milestones": [60, 80]}},
        "scheduler",
        "never acts in 10 epochs",
    ),
    "a plateau that waits too long": (
        mlp(9),
        {"scheduler": "plateau"},
        "scheduler",
        "plateau changes the rate after 12 epochs at the earliest",
    ),
    "a schedule that ends early": (
        mlp(9),
        {"scheduler": {"name": "exponential", "gamma": 0.5}, "train": {"epochs": 50}},
        "scheduler",
        "after 10 of 50 epochs",
    ),
    "thirty plain layers": (mlp(*[64] * 29), {}, "model.layers.1.linear", "30 layers without"),
    "residual blocks without norm": (residual(16), {}, "model.layers.3.residual", "256-fold"),
    "a dense layer on a large image": (
        ["flatten", linear(512), "relu", linear("classes")],
        {"data": {"name": "fake", "shape": [3, 224, 224]}},
        "model.layers.1.linear",
        "77,070,336 weights",
    ),
    "softmax between layers": (
        mlp(100, act="softmax"),
        {},
        "model.layers.2.softmax",
        "makes all inputs of linear2 add up to 1",
    ),
    "ten questions": (
        [*mlp(100), "sigmoid"],
        {"loss": "bce", "optimizer": {"name": "sgd", "lr": 0.1}},
        "loss",
        "up to 10 times smaller",
    ),
    "ten sigmoids": (
        [*mlp(*[64] * 9, act="sigmoid"), "sigmoid"],
        {"loss": "bce"},
        "model.layers.2.sigmoid",
        "through 9 sigmoids",
    ),
    "heavy dropout": (
        ["flatten", linear(), "relu", {"dropout": 0.95}, linear("classes")],
        {},
        "model.layers.3.dropout.p",
        "zeroes 95% of its input",
    ),
    "l2 that drowns the loss": (
        mlp(100, 100),
        {"regularization": {"l2": 0.1}, "optimizer": {"name": "sgd", "lr": 0.1}},
        "regularization.l2",
        "times the loss of 2.3",
    ),
    "l1 that drowns the loss": (
        mlp(100, 100),
        {"regularization": {"l1": 0.01}},
        "regularization.l1",
        "times the loss of 2.3",
    ),
    "weight decay that drowns the loss": (
        mlp(100, 100),
        {"optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.1}},
        "optimizer.weight_decay",
        "times the loss of 2.3",
    ),
    "digits upside down": (
        mlp(9),
        {"data": IMAGES | {"augment": [{"rotation": 180}]}},
        "data.augment.0.rotation",
        "by up to 180 degrees",
    ),
    "digits turned by an affine map": (
        mlp(9),
        {"data": IMAGES | {"augment": [{"affine": 120}]}},
        "data.augment.0.affine",
        "by up to 120 degrees",
    ),
    "digits flipped": (
        mlp(9),
        {"data": IMAGES | {"augment": ["vertical_flip"]}},
        "data.augment.0.vertical_flip",
        "meaningless characters",
    ),
    "a stride beyond the kernel": (
        [conv(4, kernel_size=3, stride=4), "relu", *HEAD],
        {},
        "model.layers.0.conv.stride",
        "moves by 4 pixels, but its windows cover 3",
    ),
    "a pooling beyond its window": (
        [conv(4), "relu", {"max_pool": {"kernel_size": 2, "stride": 3}}, *HEAD],
        {},
        "model.layers.2.max_pool.stride",
        "moves by 3 pixels, but its windows cover 2",
    ),
    "a small field": (pooled(conv(16), conv(32)), {}, "model.layers.2.conv", "5x5 of 28x28"),
    "nothing against overfitting": (
        mlp(2000),
        {"train": {"epochs": 300}},
        "train.epochs",
        "1,590,010 weights see 54,000 samples 300 times",
    ),
    "weights before a step": (
        mlp(9, act="step"),
        {},
        "model.layers.2.step",
        "the gradient of step is 0, so that linear1 cannot learn",
    ),
}
"""Layers, sections, the path of the one piece of advice, and a part of it."""


@pytest.mark.parametrize("case", PLANTED)
def test_what_trains_badly_is_named(case: str) -> None:
    layers, sections, path, message = PLANTED[case]
    found = plain(layers, **sections)
    assert list(found) == [path]
    assert message in found[path]


NEAR: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "a hidden layer starts equal": (mlp(100, inits=(CONSTANT,)), {}),
    "the first of two hidden layers starts equal": (mlp(100, 100, inits=(CONSTANT,)), {}),
    "the last layer starts at zero": (mlp(100, inits=(None, "zeros")), {}),
    "a hidden layer starts at zero before tanh": (mlp(9, act="tanh", inits=("zeros",)), {}),
    "weights of another file": (mlp(100), {"init": "default"}),
    "weights three times as large": (mlp(100, 100), {"init": {"name": "normal", "std": 0.15}}),
    "small weights in a shallow network": (mlp(100), {"init": {"name": "normal", "std": 1e-4}}),
    "large weights before a norm": (
        ["flatten", WIDE, "batch_norm", "relu", linear("classes")],
        {},
    ),
    "momentum at a low rate": (
        mlp(9),
        {"optimizer": {"name": "sgd", "lr": 0.001, "momentum": 0.9}},
    ),
    "a cut in the last epochs": (mlp(9), {"scheduler": {"name": "step", "step_size": 8}}),
    "a cosine": (mlp(9), {"scheduler": "cosine", "train": {"epochs": 100}}),
    "a plateau in time": (mlp(9), {"scheduler": {"name": "plateau", "patience": 5}}),
    "fifteen plain layers": (mlp(*[64] * 14), {}),
    "thirty layers of selu": (mlp(*[64] * 29, act="selu"), {}),
    "four residual blocks without norm": (residual(4), {}),
    "residual blocks that start at zero": (residual(24, init="zeros"), {}),
    "residual blocks that are scaled": (
        ["flatten", linear(), "relu"]
        + [{"residual": {"layers": [linear(), "relu", linear(), "layer_scale"]}}] * 16
        + [linear("classes")],
        {},
    ),
    "a linear model of a large image": (HEAD, {"data": {"name": "fake", "shape": [3, 224, 224]}}),
    "an mlp on CIFAR": (mlp(512, 512), {"data": "cifar10"}),
    "softmax as a gate": (GATE, {}),
    "ten questions under Adam": ([*mlp(100), "sigmoid"], {"loss": "bce"}),
    "sigmoids in residual blocks": (
        ["flatten", linear(), "sigmoid"]
        + [{"residual": {"layers": [linear(), "sigmoid", linear()], "activation": "sigmoid"}}] * 3
        + [linear("classes")],
        {},
    ),
    "dropout of a wide layer": (
        ["flatten", linear(512), "relu", {"dropout": 0.8}, linear("classes")],
        {},
    ),
    "a penalty below the loss": (
        mlp(100, 100),
        {"regularization": {"l2": 0.01}, "optimizer": {"name": "sgd", "lr": 0.1}},
    ),
    "a penalty of layers with norms": (
        ["flatten", UNBIASED, "batch_norm", "relu", linear("classes")],
        {"optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.03}},
    ),
    "digits turned a little": (mlp(9), {"data": IMAGES | {"augment": [{"rotation": 30}]}}),
    "clothes turned around": (
        mlp(9),
        {"data": {"name": "fashion_mnist", "augment": [{"rotation": 180}, "vertical_flip"]}},
    ),
    "windows side by side": ([conv(4, kernel_size=3, stride=3), "relu", *HEAD], {}),
    "a shortcut that skips pixels": ([BLOCK_STRIDE, "relu", *HEAD], {}),
    "a small field before a dense layer": ([conv(16), "relu", *HEAD], {}),
    "half of the input": (pooled(conv(16, stride=2), conv(32, stride=2), conv(32)), {}),
    "a few epochs of a large network": (mlp(2000), {"train": {"epochs": 50}}),
    "a large network with dropout": (
        ["flatten", linear(2000), "relu", {"dropout": 0.5}, linear("classes")],
        {"train": {"epochs": 300}},
    ),
    "a large network that stops": (
        mlp(2000),
        {"train": {"epochs": 300}, "regularization": {"early_stopping": 10}},
    ),
}


@pytest.mark.parametrize("case", NEAR)
def test_what_trains_well_gets_no_advice(case: str) -> None:
    layers, sections = NEAR[case]
    assert plain(layers, **sections) == {}


def test_frozen_weights_may_stand_before_a_step() -> None:
    layers = ["flatten", FIXED, "step", linear("classes")]
    assert list(plain(layers)) == ["model.layers.2.step"]
    model = {"model": {"layers": layers, "freeze": ["fixed.*"]}}
    assert plain(layers, **model) == {}


def test_without_an_optimizer_the_default_is_named() -> None:
    found = advice(mlp(9), optimizer=None, data="digits")
    assert found["optimizer.lr"].startswith("without an optimizer, sgd at 0.001 for 210 steps")
