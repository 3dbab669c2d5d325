"""A classifier whose network is described in YAML."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from cnnctl.sklearn.estimator import Array, Estimator


class Classifier(ClassifierMixin, Estimator):
    """A classifier whose network and training are described in YAML; see `Estimator`.

    Targets are classes (N,), or labels of 0 and 1, (N, L), of which a sample has any number.
    Sample weights are not supported; `loss__class_weights="balanced"` weights classes.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on samples (N, F), (N, C, L) or (N, C, H, W), and their classes or labels.

        Raises:
            ValueError: X or y is not what a classifier takes.
            FaultError: faults of the parameters; or training fails.
        """
        inputs, given = self._checked(X, y=y, multi_output=True)
        check_classification_targets(given)
        if type_of_target(given) == "multilabel-indicator":
            labels = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
            self.classes_ = np.arange(labels.shape[1])
            self._is_multilabel = True
            targets, task = torch.from_numpy(labels.astype(np.float32)), "multilabel"
        else:
            self.classes_, codes = np.unique(column_or_1d(given, warn=True), return_inverse=True)
            self._is_multilabel = False
            targets, task = torch.from_numpy(codes.astype(np.int64)), "classification"
            if len(self.classes_) < 2:
                raise ValueError("Classifier needs at least 2 classes; y contains only one class.")
        names = [*map(str, self.classes_.tolist())]
        self._fit_to(inputs, targets, task=task, classes=names, normalize_targets=None)
        return self

    def predict(self, X: Any) -> Array:
        """The likeliest class of each sample, (N,), or its labels as 0 and 1, (N, L)."""
        probabilities = self._numbers(X)
        if not self._is_multilabel:
            classes: Array = self.classes_[probabilities.argmax(axis=1)]
            return classes
        [task] = self._fitted.trained.tasks
        return (probabilities > np.array(task.thresholds, np.float32)).astype(np.int64)

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class or label, (N, classes) float32."""
        return self._numbers(X)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect of it."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.three_d_array = True
        return tags
