"""Forty small experiments that train well: networks of the zoo and others, with many optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Plain = dict[str, Any]


def digits(epochs: int, **data: Any) -> Plain:
    return {"data": {"name": "digits", "batch_size": 64, **data}, "train": {"epochs": epochs}}


def planar(kind: str, epochs: int, **data: Any) -> Plain:
    return {"data": {"name": kind, "batch_size": 50, **data}, "train": {"epochs": epochs}}


def mlp(*widths: int, act: str = "relu", norm: bool = False, dropout: float = 0) -> Plain:
    layers: list[Any] = ["flatten"]
    for width in widths:
        layers += [{"linear": width}, *(["batch_norm"] if norm else []), act]
        layers += [{"dropout": dropout}] if dropout else []
    return {"model": {"layers": [*layers, {"linear": "classes"}]}}


def cnn(*widths: int, act: str = "relu", norm: str = "", dropout: float = 0) -> Plain:
    layers: list[Any] = []
    for width in widths:
        conv = {"conv": {"out_channels": width, "padding": 1, "bias": not norm}}
        layers += [conv, *([norms(norm)] if norm else []), act]
    layers += [{"max_pool": 2}, "flatten"]
    layers += [{"dropout": dropout}] if dropout else []
    return {"model": {"layers": [*layers, {"linear": "classes"}]}}


def norms(kind: str) -> Any:
    return {"group_norm": 4} if kind == "group_norm" else kind


def zoo(name: str, **options: Any) -> Plain:
    return {"model": {"zoo": name, **options}}


def by(optimizer: str, lr: float, scheduler: str = "constant", **more: Any) -> Plain:
    return {"optimizer": {"name": optimizer, "lr": lr, **more}, "scheduler": scheduler}


ADAM, ADAMW = by("adam", 0.003), by("adamw", 0.003, "cosine")
SGD = by("sgd", 0.05, "one_cycle", momentum=0.9)
MOMENTUM = by("sgd", 0.05, momentum=0.9)
SOFT = {"regularization": {"label_smoothing": 0.1, "l2": 0.0005}}
EMA = {"regularization": {"ema": 0.99}}


def experiments() -> Iterator[tuple[str, Plain, float]]:
    """Name, experiment and the validation accuracy that it reaches at least."""
    networks: dict[str, Plain] = {
        "mlp": mlp(64),
        "mlp tanh": mlp(64, 32, act="tanh"),
        "mlp sigmoid": mlp(48, act="sigmoid"),
        "mlp norm": mlp(64, 64, norm=True),
        "mlp dropout": mlp(128, dropout=0.3),
        "deep gelu": mlp(48, 48, 48, 48, act="gelu"),
        "cnn": cnn(16, 32),
        "cnn norm": cnn(16, 16, norm="batch_norm"),
        "cnn groups": cnn(16, 16, norm="group_norm", act="silu"),
        "cnn dropout": cnn(24, dropout=0.5),
    }
    optimizers = {"adam": ADAM, "adamw": ADAMW, "sgd": SGD}
    for network, model in networks.items():
        for optimizer, settings in optimizers.items():
            is_slow = network in ("mlp sigmoid", "mlp dropout", "cnn dropout")
            yield (
                f"{network}, {optimizer}",
                {**digits(25 if is_slow else 15), **model, **settings},
                0.93,
            )
    lenet = {**digits(12, size=[32, 32], augment=[{"crop": {"padding": 2}}]), **zoo("lenet5")}
    resnet = {**digits(6, size=16), **zoo("resnet20", width=8)}
    yield "lenet5", {**lenet, **SGD, **SOFT}, 0.95
    yield "lenet5 averaged", {**lenet, **ADAM, **EMA}, 0.95
    yield "resnet20", {**resnet, **by("sgd", 0.1, "one_cycle", momentum=0.9)}, 0.93
    yield "resnet20 adam", {**resnet, **ADAM}, 0.93
    yield "mlp momentum", {**digits(20), **mlp(100), **MOMENTUM}, 0.94
    yield "rmsprop", {**digits(20), **mlp(64), **by("rmsprop", 0.001)}, 0.94
    yield "moons", {**planar("moons", 60), **mlp(16, 16), **ADAM}, 0.97
    yield "circles", {**planar("circles", 60, noise=0.05), **mlp(16, act="tanh"), **ADAM}, 0.97
    spirals = planar("spirals", 100)
    yield "spirals", {**spirals, **mlp(64, 64, act="tanh"), **by("adam", 0.01, "cosine")}, 0.9
    waveform = {"data": {"name": "waveform", "batch_size": 50}, "train": {"epochs": 20}}
    yield "waveform", {**waveform, **mlp(32), **by("adamw", 0.002, "cosine")}, 0.8
