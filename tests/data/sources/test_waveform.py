"""Breiman's waves, held against their definition and against published results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cnnctl.data.dataset import DataSet
from cnnctl.data.samples import Samples
from cnnctl.data.sources.waveform import Waveform
from tests.data.conftest import inputs_of

WAVES = np.array(
    [
        [0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0],
        [0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
)
"""Hastie et al. 2009, equation 12.61."""


def load(data: DataSet, split: str = "train") -> Samples:
    return data.load(split, root=Path("none"))  # type: ignore[arg-type]


def test_signals_have_one_channel_and_every_class_is_there() -> None:
    data = DataSet.read("waveform")
    samples = load(data)
    assert data.describe().shape == (1, 21)
    assert samples.inputs.shape == (1000, 1, 21)
    assert samples.inputs.dtype == torch.float32
    assert torch.bincount(samples.targets).tolist() == [334, 333, 333]


@pytest.mark.parametrize(("number", "pair"), [(0, (0, 1)), (1, (0, 2)), (2, (1, 2))])
def test_without_noise_a_signal_is_a_mixture_of_two_waves(
    number: int, pair: tuple[int, int]
) -> None:
    samples = load(Waveform(noise=0, samples=90))
    signals = inputs_of(samples)[samples.targets == number, 0].double().numpy()
    one, other = WAVES[list(pair)]
    shares, rest, _, _ = np.linalg.lstsq(np.stack([one, other]).T, signals.T, rcond=None)
    assert rest.max() < 1e-9
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-6)
    assert shares.min() >= -1e-6
    assert shares.std() > 0.2  # uniform: 0.29


def test_means_and_variances_are_those_of_the_definition() -> None:
    samples = load(Waveform(samples=30_000))
    for number, (one, other) in enumerate(((0, 1), (0, 2), (1, 2))):
        signals = inputs_of(samples)[samples.targets == number, 0].double().numpy()
        np.testing.assert_allclose(signals.mean(axis=0), (WAVES[one] + WAVES[other]) / 2, atol=0.07)
        # a uniform share has a variance of 1/12
        variance = 1 + (WAVES[one] - WAVES[other]) ** 2 / 12
        np.testing.assert_allclose(signals.var(axis=0), variance, rtol=0.1)


def test_linear_discriminants_reach_what_is_published() -> None:
    data = Waveform(samples=300, test_samples=20_000)
    train, test = load(data), load(data, "test")
    fitted = LinearDiscriminantAnalysis().fit(inputs_of(train)[:, 0], train.targets)
    error = 1 - fitted.score(inputs_of(test)[:, 0], test.targets)
    assert error == pytest.approx(0.191, abs=3 * 0.006)  # table 12.4, with its standard error


def log_likelihood(signals: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of signals (N, 21), up to what all classes share: the integral over the share."""
    places, weights = np.polynomial.legendre.leggauss(32)
    share = (places[:, None] + 1) / 2
    means = share * one + (1 - share) * other
    exponents = signals @ means.T - (means**2).sum(axis=1) / 2
    found: np.ndarray = np.logaddexp.reduce(exponents + np.log(weights), axis=1)
    return found


def test_the_best_rule_there_is_errs_on_13_percent() -> None:
    test = load(Waveform(test_samples=30_000), "test")
    signals = inputs_of(test)[:, 0].double().numpy()
    pairs = ((0, 1), (0, 2), (1, 2))
    each = [log_likelihood(signals, WAVES[one], WAVES[other]) for one, other in pairs]
    error = (np.argmax(each, axis=0) != test.targets.numpy()).mean()
    assert error == pytest.approx(0.14, abs=0.01)  # Breiman et al. 1984: 86 % are right


def test_signals_depend_on_their_own_seed_alone_and_are_drawn_apart() -> None:
    first, again, other = (inputs_of(load(Waveform(data_seed=seed))) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    test = inputs_of(load(Waveform(data_seed=3), "test"))
    assert not set(map(tuple, first[:, 0].tolist())) & set(map(tuple, test[:, 0].tolist()))
