"""Small random problems in the plane, whose learned function can be plotted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from pydantic import Field

from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import random_state

Points = NDArray[Any]
Noise = Annotated[float, Field(ge=0, le=10**6)]
SampleCount = Annotated[int, Field(ge=2, le=10_000_000)]


class Planar(DataSet):
    """Points in the plane with their classes; training and test points are drawn independently."""

    has_files: ClassVar[bool] = False

    samples: SampleCount = 1000
    """Points in the training split, including validation."""
    test_samples: SampleCount = 1000
    """Points in the test split."""
    noise: Noise = 0.1
    """Standard deviation of the noise added to both coordinates."""
    data_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Random seed of the points; independent of the experiment's seed."""

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their numbers."""

    @abstractmethod
    def draw(self, count: int, random: RandomState) -> tuple[Points, Points]:
        """Points (N, 2) and their classes (N,)."""

    def whole(self) -> DatasetInfo:
        names = self.class_names()
        return DatasetInfo((2,), names, len(names), self.samples)

    def input_names(self) -> Mapping[str, int]:
        return {"x": 1, "y": 1}

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        is_test = split == "test"
        random = random_state(self.data_seed, int(is_test))
        points, classes = self.draw(self.test_samples if is_test else self.samples, random)
        return Samples(torch.from_numpy(points).float(), torch.from_numpy(classes).long())


class Moons(Planar, kind="moons"):
    """Two interleaving half circles."""

    def class_names(self) -> tuple[str, ...]:
        return "upper", "lower"

    def draw(self, count: int, random: RandomState) -> tuple[Points, Points]:
        from sklearn.datasets import make_moons

        points, classes = make_moons(count, noise=self.noise, random_state=random)
        return points, classes


class Circles(Planar, kind="circles"):
    """A circle within a circle."""

    factor: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Radius of the inner circle; that of the outer one is 1."""

    def class_names(self) -> tuple[str, ...]:
        return "outer", "inner"

    def draw(self, count: int, random: RandomState) -> tuple[Points, Points]:
        from sklearn.datasets import make_circles

        points, classes = make_circles(
            count, noise=self.noise, random_state=random, factor=self.factor
        )
        return points, classes


class Spirals(Planar, kind="spirals"):
    """Arms that wind around each other, out to a radius of 1."""

    noise: Noise = 0.02
    """Standard deviation of the noise added to both coordinates."""
    arms: Annotated[int, Field(ge=2, le=100)] = 2
    """Number of spirals, and of classes."""
    turns: Annotated[float, Field(gt=0, le=100)] = 1.5
    """Turns of each arm around the centre."""

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"arm {number}" for number in range(1, self.arms + 1))

    def draw(self, count: int, random: RandomState) -> tuple[Points, Points]:
        arm = np.arange(count) % self.arms
        radius = random.uniform(size=count)
        angle = 2 * np.pi * (self.turns * radius + arm / self.arms)
        points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return points + random.normal(scale=self.noise, size=points.shape), arm


class Xor(Planar, kind="xor"):
    """A square in four quadrants; opposite quadrants have the same class."""

    def class_names(self) -> tuple[str, ...]:
        return "same sign", "other sign"

    def draw(self, count: int, random: RandomState) -> tuple[Points, Points]:
        points = random.uniform(-1, 1, size=(count, 2))
        classes = (points[:, 0] * points[:, 1] < 0).astype(np.int64)
        return points + random.normal(scale=self.noise, size=points.shape), classes


class Blobs(Planar, kind="blobs"):
    """Gaussian clouds with centres evenly spaced on the unit circle."""

    noise: Noise = 0.2
    """Standard deviation of a cloud."""
    centers: Annotated[int, Field(ge=2, le=100)] = 3
    """Number of clouds, and of classes."""

    def class_names(self) -> tuple[str, ...]:
        return tuple(f"cloud {number}" for number in range(1, self.centers + 1))

    def draw(self, count: int, random: RandomState) -> tuple[Points, Points]:
        cloud = np.arange(count) % self.centers
        angle = 2 * np.pi * cloud / self.centers
        middles = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return middles + random.normal(scale=self.noise, size=middles.shape), cloud
