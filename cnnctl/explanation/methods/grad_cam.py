"""Grad-CAM: where the channels of a layer that speak for a class are active."""

from __future__ import annotations

from torch import Tensor

from cnnctl.explanation.class_activation import ClassActivation
from cnnctl.explanation.request import Request


class GradCam(ClassActivation):
    """Channels weighted by the mean of their gradient, summed; what is negative becomes 0."""

    name = "grad-cam"
    reference = "Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391"

    def weighed(self, activations: Tensor, gradients: Tensor) -> Tensor:
        sides = tuple(range(1, gradients.ndim))
        return (activations * gradients.mean(sides, keepdim=True)).sum(0)

    def meaning(self, request: Request) -> str:
        return f"channels of {request.layer}, weighted by their mean gradients"
