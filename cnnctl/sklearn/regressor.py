"""A regressor whose network is described in YAML."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin

from cnnctl.sklearn.estimator import Array, Estimator


class Regressor(RegressorMixin, Estimator):
    """A regressor whose network and training are described in YAML; see `Estimator`.

    Targets are values (N,) or (N, T). They are normalised for training; predictions are in their
    own units. Sample weights are not supported.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples (N, F), (N, C, L) or (N, C, H, W), and their values.

        Raises:
            ValueError: X or y is not what a regressor takes.
            FaultError: faults of the parameters; or training fails.
        """
        inputs, given = self._checked(X, y=y, multi_output=True, y_numeric=True)
        values = np.asarray(given, dtype=np.float32)
        self._is_single = values.ndim == 1
        targets = torch.from_numpy(values.reshape(len(values), -1))
        self._fit_to(inputs, targets, task="regression", outputs=targets.shape[1])
        return self

    def predict(self, X: Any) -> Array:
        """The values of each sample, (N,) or (N, T) float64."""
        values = self._numbers(X).astype(np.float64)
        return values[:, 0] if self._is_single else values

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect of it."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        return tags
