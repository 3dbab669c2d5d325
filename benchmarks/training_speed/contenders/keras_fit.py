"""Keras 3 on PyTorch, as its examples on MNIST and CIFAR-10 write it: compile, fit.

https://keras.io/examples/vision/mnist_convnet/; images are (N, H, W, C), as its layers have them.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

from functools import partial
from typing import Any

import keras
from keras import layers

from benchmarks.training_speed.networks import CLASSES, NETWORKS
from benchmarks.training_speed.task import LR, MOMENTUM, Task, Watch


def lenet(x: Any, activation: str, pooling: Any) -> Any:
    x = pooling(2)(layers.Conv2D(6, 5, padding="same", activation=activation)(x))
    x = pooling(2)(layers.Conv2D(16, 5, activation=activation)(x))
    x = layers.Dense(120, activation=activation)(layers.Flatten()(x))
    return layers.Dense(84, activation=activation)(x)


def mlp(x: Any) -> Any:
    x = layers.Dense(300, activation="relu")(layers.Flatten()(x))
    return layers.Dense(100, activation="relu")(x)


def keras_cnn(x: Any) -> Any:
    for width in (32, 64):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(width, 3, activation="relu")(x)
        x = layers.Dropout(0.25)(layers.MaxPooling2D(2)(x))
    x = layers.Dense(512, activation="relu")(layers.Flatten()(x))
    return layers.Dropout(0.5)(x)


def convolution(x: Any, width: int, side: int = 3, stride: int = 1) -> Any:
    """With batch norm, padded as PyTorch pads it."""
    if side > 1:
        x = layers.ZeroPadding2D(side // 2)(x)
    x = layers.Conv2D(width, side, strides=stride, use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def padded(x: Any, width: int) -> Any:
    """Every second pixel, and new channels of zeros."""
    return keras.ops.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, width - x.shape[-1])])


def projected(x: Any, width: int) -> Any:
    return convolution(x, width, side=1, stride=2)


def residual(x: Any, widths: list[int], shortcut: Any) -> Any:
    """Residual blocks of these widths, the first of which is that of the stem."""
    x = layers.ReLU()(convolution(x, widths[0]))
    for before, width in zip([widths[0], *widths], widths, strict=False):
        found = layers.ReLU()(convolution(x, width, stride=1 if width == before else 2))
        found = convolution(found, width)
        x = layers.ReLU()(layers.add([found, x if width == before else shortcut(x, width)]))
    return layers.GlobalAveragePooling2D()(x)


BODIES = {
    "lenet": partial(lenet, activation="relu", pooling=layers.MaxPooling2D),
    "lenet_tanh": partial(lenet, activation="tanh", pooling=layers.AveragePooling2D),
    "mlp": mlp,
    "keras_cnn": keras_cnn,
    "resnet20": partial(residual, widths=[16] * 3 + [32] * 3 + [64] * 3, shortcut=padded),
    "resnet18": partial(
        residual, widths=[64, 64, 128, 128, 256, 256, 512, 512], shortcut=projected
    ),
}


def network_of(model: str) -> keras.Model:
    channels, height, width = NETWORKS[model].shape
    inputs = keras.Input(shape=(height, width, channels))
    return keras.Model(inputs, layers.Dense(CLASSES)(BODIES[model](inputs)))


class Timed(keras.callbacks.Callback):
    def __init__(self, watch: Watch, images: int) -> None:
        super().__init__()
        self.watch, self.images = watch, images

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.watch.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.watch.step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.watch.end_epoch(self.images)


def train(task: Task, watch: Watch) -> None:
    images, y_train = task.stored()
    x_train = images.transpose(0, 2, 3, 1).astype("float32") / 255
    model = network_of(task.model)
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.SGD(learning_rate=LR, momentum=MOMENTUM),
        metrics=["accuracy"],
    )
    model.fit(
        x_train,
        y_train,
        batch_size=task.batch_size,
        epochs=task.epochs,
        callbacks=[Timed(watch, len(x_train))],
    )
