"""Datasets as code: how the samples of a split are read or drawn."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path

from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.image_set import ImageSet
from cnnctl.data.sources.cifar import CifarSet
from cnnctl.data.sources.diabetes import Diabetes
from cnnctl.data.sources.digits import Digits
from cnnctl.data.sources.fake import TEST_SHARE, Fake
from cnnctl.data.sources.inline import Inline
from cnnctl.data.sources.mnist import Emnist, MnistLike
from cnnctl.data.sources.planar import Blobs, Circles, Moons, Planar, Spirals, Xor
from cnnctl.data.sources.svhn import Svhn
from cnnctl.data.sources.waveform import Waveform
from cnnctl.errors import config_fault
from cnnctl.export.training_source.layout import Code, call, literal

HEADER = """
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

"""
SIGNATURE = "def read_split(*, train: bool) -> tuple[Tensor, ...]:"


@dataclass(frozen=True, slots=True)
class Needs:
    """What reading a dataset depends on."""

    targets: tuple[str, ...]
    """The names of the targets to return, the first of which the splits are stratified by."""
    test_counts: tuple[int, ...] = ()
    """Samples of each class in the test split."""


@singledispatch
def reading_source(data: DataSet, needs: Needs) -> str:
    """`read_split(train=…)`, which returns inputs and targets of the training or the test split.

    Raises:
        FaultError: it cannot be written.
    """
    message = f"a training script cannot read {data.kind}"
    hint = "leave out --training, or use data of another kind"
    raise config_fault(message, hint=hint, path=("data",))


def _function(document: str, *lines: str) -> str:
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    return f'{SIGNATURE}\n    """{document}"""\n{body}\n'


def _resize(data: ImageSet) -> list[str]:
    """The line that resizes `images`, if they are resized."""
    size, native = data.whole().shape[1:], data.original().shape[1:]
    if size == native:
        return []
    options = {"mode": "bilinear", "antialias": True}
    return [f"images = {call('F.interpolate', 'images', literal(tuple(size)), **options)}"]


@reading_source.register
def _(data: Digits, needs: Needs) -> str:
    targets = {"digit": "digits[chosen]", "parity": "digits[chosen] % 2"}
    code = _function(
        "The 8x8 digits of scikit-learn, a fifth of which are for testing.",
        "pixels, digits = map(torch.from_numpy, load_digits(return_X_y=True))",
        "images = (pixels * 255 / 16).round().to(torch.uint8).view(-1, 1, 8, 8)",
        *_resize(data),
        f"is_test = hold_out(digits, {literal(list(needs.test_counts))}, seed=0)",
        "chosen = ~is_test if train else is_test",
        f"return images[chosen], {', '.join(targets[name] for name in needs.targets)}",
    )
    return f"from sklearn.datasets import load_digits\n{HEADER}{code}"


@reading_source.register
def _(data: MnistLike, needs: Needs) -> str:
    name = data.folder
    code = _function(
        f"The images of {name}, downloaded on first use.",
        f"stored = {name}(DATA, train=train, download=True)",
        *_images("stored.data[:, None]", data),
        "return images, stored.targets",
    )
    return f"from torchvision.datasets import {name}\n{HEADER}{code}"


def _images(code: str, data: ImageSet) -> list[str]:
    return [f"images = {code}", *_resize(data)]


@reading_source.register
def _(data: Emnist, needs: Needs) -> str:
    code = _function(
        "The images of EMNIST, upright, downloaded on first use.",
        f'stored = EMNIST(DATA, split="{data.split}", train=train, download=True)',
        *_images("stored.data[:, None].transpose(2, 3)", data),
        f"return images, stored.targets{' - 1' if data.split == 'letters' else ''}",
    )
    return f"from torchvision.datasets import EMNIST\n{HEADER}{code}"


@reading_source.register
def _(data: CifarSet, needs: Needs) -> str:
    name = data.published().__name__
    if needs.targets != (data.labels if data.coarse_labels else "target",):
        message = "torchvision does not read the coarse labels of CIFAR-100"
        raise config_fault(message, hint="leave out --training", path=("model", "heads"))
    code = _function(
        f"The images of {name}, downloaded on first use.",
        f"stored = {name}(DATA, train=train, download=True)",
        *_images("torch.from_numpy(stored.data).permute(0, 3, 1, 2).contiguous()", data),
        "return images, torch.tensor(stored.targets)",
    )
    return f"from torchvision.datasets import {name}\n{HEADER}{code}"


@reading_source.register
def _(data: Svhn, needs: Needs) -> str:
    code = _function(
        "The images of SVHN, downloaded on first use.",
        'stored = SVHN(DATA, split="train" if train else "test", download=True)',
        *_images("torch.from_numpy(stored.data)", data),
        "return images, torch.from_numpy(stored.labels)",
    )
    return f"from torchvision.datasets import SVHN\n{HEADER}{code}"


@reading_source.register
def _(data: Diabetes, needs: Needs) -> str:
    held_out = sum(needs.test_counts)
    code = _function(
        "The diabetes patients of scikit-learn, a fifth of which are for testing.",
        "features, values = load_diabetes(return_X_y=True, scaled=False)",
        f"is_test = hold_out(len(values), {held_out}, seed=0)",
        "chosen = (~is_test if train else is_test).numpy()",
        "inputs, targets = map(torch.from_numpy, (features[chosen], values[chosen]))",
        "return inputs.float(), targets[:, None].float()",
    )
    return f"from sklearn.datasets import load_diabetes\n{HEADER}{code}"


@reading_source.register
def _(data: Planar, needs: Needs) -> str:
    document, imports, lines = _drawing(data)
    code = _function(
        document,
        f"count = {data.samples} if train else {data.test_samples}",
        f"seed = ({data.data_seed}, 0 if train else 1)",
        "random = np.random.RandomState(np.random.MT19937(seed))",
        *lines,
        "return torch.from_numpy(points).float(), torch.from_numpy(classes)",
    )
    return f"{imports}{HEADER}{code}"


@singledispatch
def _drawing(data: Planar) -> tuple[str, str, tuple[str, ...]]:
    """What is drawn, imports, and lines that draw `points` and `classes`, `count` of them."""
    message = f"a training script cannot draw {data.kind}"
    raise config_fault(message, hint="leave out --training", path=("data",))


def _noise(data: Planar) -> str:
    return f"points += random.normal(scale={data.noise!r}, size=points.shape)"


@_drawing.register
def _(data: Moons) -> tuple[str, str, tuple[str, ...]]:
    options = {"noise": data.noise, "random_state": Code("random")}
    line = f"points, classes = {call('make_moons', 'count', **options)}"
    return "Two interleaving half circles.", "from sklearn.datasets import make_moons\n", (line,)


@_drawing.register
def _(data: Circles) -> tuple[str, str, tuple[str, ...]]:
    options = {"noise": data.noise, "factor": data.factor, "random_state": Code("random")}
    line = f"points, classes = {call('make_circles', 'count', **options)}"
    return "A circle within a circle.", "from sklearn.datasets import make_circles\n", (line,)


@_drawing.register
def _(data: Spirals) -> tuple[str, str, tuple[str, ...]]:
    lines = (
        f"classes = np.arange(count) % {data.arms}",
        "radius = random.uniform(size=count)",
        f"angle = 2 * np.pi * ({data.turns!r} * radius + classes / {data.arms})",
        "points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)",
        _noise(data),
    )
    return "Arms that wind around each other, out to a radius of 1.", "", lines


@_drawing.register
def _(data: Xor) -> tuple[str, str, tuple[str, ...]]:
    lines = (
        "points = random.uniform(-1, 1, size=(count, 2))",
        "classes = (points[:, 0] * points[:, 1] < 0).astype(np.int64)",
        _noise(data),
    )
    return "A square in four quadrants; opposite ones have the same class.", "", lines


@_drawing.register
def _(data: Blobs) -> tuple[str, str, tuple[str, ...]]:
    lines = (
        f"classes = np.arange(count) % {data.centers}",
        f"angle = 2 * np.pi * classes / {data.centers}",
        "points = np.stack([np.cos(angle), np.sin(angle)], axis=1)",
        _noise(data),
    )
    return "Gaussian clouds with centres on the unit circle.", "", lines


@reading_source.register
def _(data: Waveform, needs: Needs) -> str:
    code = _function(
        "Noisy mixtures of two of three triangular waves (Breiman et al. 1984).",
        f"count = {data.samples} if train else {data.test_samples}",
        f"seed = ({data.data_seed}, 0 if train else 1)",
        "random = np.random.RandomState(np.random.MT19937(seed))",
        "places, pairs = np.arange(1, 22), np.array([(0, 1), (0, 2), (1, 2)])",
        "waves = np.stack([np.maximum(6 - abs(places - p), 0.0) for p in (11, 15, 7)])",
        "classes = np.arange(count) % 3",
        "one, other = waves[pairs[classes].T]",
        "share = random.uniform(size=(count, 1))",
        "signals = share * one + (1 - share) * other",
        f"signals += random.normal(scale={data.noise!r}, size=signals.shape)",
        "return torch.from_numpy(signals).float()[:, None], torch.from_numpy(classes)",
    )
    return f"{HEADER}{code}"


@reading_source.register
def _(data: Fake, needs: Needs) -> str:
    shape = ", ".join(map(str, data.shape))
    drawn = f"torch.randn(count, {shape}, generator=generator)"
    if len(data.shape) == 3:
        drawn = f"torch.randint(256, (count, {shape}), dtype=torch.uint8, generator=generator)"
    targets = f"torch.arange(count) % {data.classes}"
    if data.multilabel:
        targets = f"(torch.rand(count, {data.classes}, generator=generator) < 0.5).float()"
    code = _function(
        "Random samples.",
        f"count = {data.samples} if train else {max(1, data.samples // TEST_SHARE)}",
        "generator = torch.Generator().manual_seed(0 if train else 1)",
        f"inputs = {drawn}",
        f"return inputs, {targets}",
    )
    return f"{HEADER}{code}"


@reading_source.register
def _(data: Inline, needs: Needs) -> str:
    train = _inline_rows(data, "train", needs.targets)
    if not data.test_inputs:
        return f"{HEADER}{_function('The samples.', *train, _returned(needs.targets))}"
    test = _inline_rows(data, "test", needs.targets)
    both = ["if train:", *(f"    {line}" for line in train)]
    both += ["else:", *(f"    {line}" for line in test)]
    return f"{HEADER}{_function('The samples.', *both, _returned(needs.targets))}"


def _inline_rows(data: Inline, split: StoredSplit, names: Sequence[str]) -> list[str]:
    """Lines that assign the inputs and targets of a split."""
    is_test = split == "test"
    samples = data.load(split, root=Path())
    known = {name: samples.others.get(name, samples.targets) for name in names}
    given = data.test_targets if is_test else data.targets
    written = given if isinstance(given, dict) else {names[0]: given}
    rows: dict[str, object] = {"inputs": data.test_inputs if is_test else data.inputs}
    for name, tensor in known.items():
        rows[f"{name}s"] = written[name] if tensor.is_floating_point() else tensor.tolist()
    return [f"{_name(name)} = {literal(numbers)}" for name, numbers in rows.items()]


def _returned(names: Sequence[str]) -> str:
    known = ["inputs", *(f"{name}s" for name in names)]
    return f"return {', '.join(f'torch.tensor({_name(name)})' for name in known)}"


def _name(text: str) -> str:
    """A name as that of a variable."""
    plain = re.sub(r"\W", "_", text)
    return f"{plain}_" if plain[:1].isdigit() or keyword.iskeyword(plain) else plain
