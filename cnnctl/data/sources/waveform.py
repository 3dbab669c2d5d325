"""Random signals, for one-dimensional networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field

from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import random_state

LENGTH = 21
PAIRS = ((0, 1), (0, 2), (1, 2))
"""The pair of waves that each class mixes."""


class Waveform(DataSet, kind="waveform"):
    """Noisy mixtures of two of three triangular waves, (1, 21) (Breiman et al. 1984).

    The class is the pair of waves. The Bayes error is 13.2 % (published: about 14 %); linear
    discriminant analysis has 19 % (Hastie et al. 2009, table 12.4). Training and test signals are
    drawn independently.
    """

    has_files: ClassVar[bool] = False

    samples: Annotated[int, Field(ge=3, le=10_000_000)] = 1000
    """Signals in the training split, including validation."""
    test_samples: Annotated[int, Field(ge=3, le=10_000_000)] = 5000
    """Signals in the test split."""
    noise: Annotated[float, Field(ge=0, le=10**6)] = 1.0
    """Standard deviation of the noise added to every value."""
    data_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Random seed of the signals; independent of the experiment's seed."""

    def whole(self) -> DatasetInfo:
        names = tuple(f"{one + 1} and {other + 1}" for one, other in PAIRS)
        return DatasetInfo((1, LENGTH), names, len(PAIRS), self.samples)

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        is_test = split == "test"
        count = self.test_samples if is_test else self.samples
        random = random_state(self.data_seed, int(is_test))
        classes = np.arange(count) % len(PAIRS)
        one, other = triangles()[np.array(PAIRS)[classes].T]
        share = random.uniform(size=(count, 1))
        signals = share * one + (1 - share) * other
        signals += random.normal(scale=self.noise, size=signals.shape)
        inputs = torch.from_numpy(signals).float()[:, None]
        return Samples(inputs, torch.from_numpy(classes).long())


def triangles() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The three waves, (3, 21), with height 6: centred, and shifted by four to either side."""
    places = np.arange(1, LENGTH + 1)
    return np.stack([np.maximum(6 - abs(places - peak), 0.0) for peak in (11, 15, 7)])
