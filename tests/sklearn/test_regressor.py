import numpy as np
import pytest

from cnnctl.errors import FaultError
from tests.sklearn.examples import line, regressor


def test_values_are_predicted_in_their_own_units() -> None:
    inputs, values = line()
    found = regressor().fit(inputs, values).predict(inputs)
    assert found.shape == values.shape
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, values, atol=30)


def test_several_values_are_predicted_at_once() -> None:
    inputs, values = line()
    targets = np.stack([values, -3 * values], axis=1)
    fitted = regressor().fit(inputs, targets)
    assert fitted.predict(inputs).shape == (80, 2)
    assert fitted.score(inputs, targets) > 0.95


def test_a_column_of_values_stays_a_column() -> None:
    inputs, values = line(20)
    fitted = regressor(train__epochs=1).fit(inputs, values[:, None])
    assert fitted.predict(inputs).shape == (20, 1)


def test_a_loss_of_classes_does_not_fit_values() -> None:
    inputs, values = line(20)
    with pytest.raises(FaultError, match="loss=cross_entropy: loss"):
        regressor(loss="cross_entropy").fit(inputs, values)
