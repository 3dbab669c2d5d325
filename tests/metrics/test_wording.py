"""Losses are written so that small ones keep their digits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.metrics.naming import label_of, parted, show_metric
from cnnctl.metrics.wording import show_loss


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (0.43214, "0.4321"),
        (0.0012, "0.0012"),
        (3.2e-05, "3.2e-05"),
        (0.00047, "4.7e-04"),
        (0.0, "0.0000"),
        (2900.54, "2900.5"),
        (12345678.0, "1.2e+07"),
        (-0.00002, "-2.0e-05"),  # a negative log-density may be below zero
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_a_loss_keeps_its_digits(loss: float, text: str) -> None:
    assert show_loss(loss) == text


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_what_is_read_back_is_within_five_percent(loss: float) -> None:
    assert float(show_loss(loss)) == pytest.approx(loss, rel=0.06)
    assert len(show_loss(loss)) <= 11


def test_an_accuracy_is_in_percent() -> None:
    assert show_metric("val_accuracy", 0.98765) == "98.77%"
    assert show_metric("loss", 0.00001) == "1.0e-05"


@pytest.mark.parametrize(
    ("name", "owner", "label"),
    [
        ("accuracy", "", "accuracy"),
        ("digit_accuracy", "digit", "digit accuracy"),
        ("two_words_loss", "two_words", "two words loss"),
        ("r2", "", "R²"),
        ("balanced_accuracy", "", "balanced accuracy"),
        ("digit_balanced_accuracy", "digit", "digit balanced accuracy"),
    ],
)
def test_a_name_is_a_head_and_a_metric(name: str, owner: str, label: str) -> None:
    found, metric = parted(name)
    assert (found, metric is not None) == (owner, True)
    assert label_of(name) == label


def test_what_is_no_metric_keeps_its_name() -> None:
    for name in ("seconds", "lr", "confusion", ""):
        assert parted(name) == (name, None)
    assert show_metric("seconds", 0.5) == "0.5000"
