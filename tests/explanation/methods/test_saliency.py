"""Saliency is the size of the gradient, as torch itself finds it and as captum does."""

from __future__ import annotations

import torch
from captum.attr import Saliency as CaptumSaliency

from cnnctl.explanation.methods.saliency import Saliency
from tests.explanation.conftest import (
    CNN,
    SIGNALS,
    VECTORS,
    plain_gradient,
    request_of,
    subject_of,
)


def test_it_is_the_largest_gradient_of_each_pixel() -> None:
    request = request_of(subject_of(CNN), 3, target=5)
    found = Saliency().explain(request).arrays["map"]
    assert found.shape == (1, 16, 16)
    assert torch.equal(found[0], plain_gradient(request, 5).abs().amax(0))
    captum = CaptumSaliency(request.network).attribute(
        request.samples.inputs.clone().requires_grad_(), target=5
    )
    torch.testing.assert_close(found, captum.detach().amax(1))


def test_signals_keep_their_channels_and_vectors_their_features() -> None:
    signals, vectors = request_of(subject_of(SIGNALS), 0), request_of(subject_of(VECTORS), 0)
    assert Saliency().explain(signals).arrays["map"].shape == (1, *signals.subject.shape)
    found = Saliency().explain(vectors).arrays["map"]
    assert torch.equal(found[0], plain_gradient(vectors, 0).abs())
