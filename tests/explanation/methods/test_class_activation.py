"""Grad-CAM and LayerCAM: as in plain torch, as captum finds them."""

from __future__ import annotations

from dataclasses import replace

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.explanation.layers import spatial_outputs
from cnnctl.explanation.methods.grad_cam import GradCam
from cnnctl.explanation.methods.layer_cam import LayerCam
from cnnctl.explanation.request import Request
from tests.explanation.conftest import CNN, SIGNALS, VECTORS, request_of, subject_of

RESNET = """\
data: {name: fake, shape: [3, 64, 64], samples: 8, classes: 4, batch_size: 4}
model: {layers: [{torchvision: resnet18}]}
train: {device: cpu}
"""


def in_plain_torch(request: Request, layers: int) -> tuple[Tensor, Tensor]:
    """The activations of the first layers and their gradients, worked without hooks."""
    parts = list(request.network.children())
    activations = nn.Sequential(*parts[:layers])(request.samples.inputs).detach().requires_grad_()
    output = nn.Sequential(*parts[layers:])(activations)
    [gradients] = torch.autograd.grad(output[0, request.explained[0]], activations)
    return activations.detach(), gradients


def enlarged(small: Tensor) -> Tensor:
    return functional.interpolate(small.relu(), size=(16, 16), mode="bilinear")[:, 0]


def test_grad_cam_is_its_formula() -> None:
    request = request_of(subject_of(CNN), 3)
    activations, gradients = in_plain_torch(request, 5)  # the ReLU before the last pooling
    small = (activations * gradients.mean((2, 3), keepdim=True)).sum(1, keepdim=True)
    found = GradCam().explain(request)
    assert found.rows[0].facts["layer"] == "relu2"
    torch.testing.assert_close(found.arrays["map"], enlarged(small))
    captum = LayerGradCam(request.network, request.network.get_submodule("relu2"))
    other = captum.attribute(request.samples.inputs, request.explained[0], relu_attributions=True)
    torch.testing.assert_close(found.arrays["map"], enlarged(other.detach()))


def test_layer_cam_is_its_formula() -> None:
    request = replace(request_of(subject_of(CNN), 3), layer="relu1")
    activations, gradients = in_plain_torch(request, 2)
    small = (activations * gradients.relu()).sum(1, keepdim=True)
    torch.testing.assert_close(LayerCam().explain(request).arrays["map"], enlarged(small))


def test_signals_have_a_map_along_time() -> None:
    request = request_of(subject_of(SIGNALS), 0)
    assert GradCam().explain(request).arrays["map"].shape == (1, 1, request.subject.shape[1])


def test_of_a_resnet_the_last_stage_is_shown_not_a_shortcut() -> None:
    subject = subject_of(RESNET)
    found = spatial_outputs(subject)
    assert found[-1].name == "torchvision1.layer4"
    explanation = GradCam().explain(request_of(subject, 0))
    assert explanation.rows[0].facts["places"] == "2x2"
    assert explanation.arrays["map"].shape == (1, 64, 64)


def test_what_has_no_convolution_does_not_fit() -> None:
    mlp = subject_of(CNN, "model.layers=[flatten, {linear: classes}]")
    for subject in (mlp, subject_of(VECTORS)):
        assert GradCam().misfit(subject) == "needs a convolution, and this network has none"
    assert not GradCam().misfit(subject_of(CNN))


def test_the_sheet_says_what_is_explained_and_that_nothing_speaks_for_it() -> None:
    request = request_of(subject_of(CNN), 3)
    explanation = GradCam().explain(request)
    assert explanation.notes[1].startswith("explained: the predicted class; each map has its own")
    asked = GradCam().explain(replace(request, target=4))
    assert asked.notes[1].startswith("explained: 4; ")
    with torch.no_grad():
        for parameter in request.network.get_submodule("conv2").parameters():
            parameter.zero_()
    assert GradCam().explain(request).rows[0].title.endswith("; the map is 0 everywhere")
