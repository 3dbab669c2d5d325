"""Classifiers on arrays."""

import numpy as np
from sklearn.datasets import load_digits

from cnnctl.sklearn import Classifier


def test_digits_are_told_apart() -> None:
    inputs, digits = load_digits(return_X_y=True)
    classifier = Classifier(train__epochs=10, random_state=0).fit(inputs[:1000], digits[:1000])
    assert classifier.score(inputs[1000:], digits[1000:]) > 0.85
    probabilities = classifier.predict_proba(inputs[1000:])
    assert probabilities.shape == (797, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
