"""scikit-learn's regression data on diabetes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch

from cnnctl.data.dataset import RegressionSet, StoredSplit
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import random_split

SAMPLES, TEST_SAMPLES = 442, 88
NAMES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
"""scikit-learn's names of the features."""


class Diabetes(RegressionSet, kind="diabetes"):
    """Regression, no download: disease progression of 442 diabetes patients after one year.

    The target is a quantitative measure of the disease, 25 to 346, one year after the ten features
    were measured: age, sex, body mass index, blood pressure and six blood serum values (Efron et
    al., Least Angle Regression, 2004). The features are the raw measurements, since
    scikit-learn's default scales them by statistics of all samples, including test samples. The
    test split is a fixed fifth.
    """

    has_files: ClassVar[bool] = False

    def whole(self) -> DatasetInfo:
        return DatasetInfo((len(NAMES),), (), 1, SAMPLES - TEST_SAMPLES)

    def input_names(self) -> Mapping[str, int]:
        return dict.fromkeys(NAMES, 1)

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        from sklearn.datasets import load_diabetes

        features, progression = load_diabetes(return_X_y=True, scaled=False)
        inputs, targets = (torch.from_numpy(part).float() for part in (features, progression))
        train, test = random_split(SAMPLES, held_out=TEST_SAMPLES, seed=0)
        return Samples(inputs, targets[:, None]).take(train if split == "train" else test)
