"""Maps of a layer's channels, weighted by their gradients and enlarged to the sides of an input."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from cnnctl.explanation.attribution import Attributed, Attribution
from cnnctl.explanation.layers import (
    has_attention,
    has_convolutions,
    layer_named,
    spatial_layer,
    spatial_outputs,
    tapped,
)
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject


class ClassActivation(Attribution):
    """A method that weighs the channels of a layer; by default, of the last with several places."""

    is_signed = False
    options = frozenset({"target", "layer"})

    def misfit(self, subject: Subject) -> str:
        if not has_convolutions(subject):
            return "needs a convolution, and this network has none"
        if has_attention(subject):
            return "needs a network of convolutions, and this one has attention"
        return "" if spatial_outputs(subject) else "needs a layer with several places"

    @abstractmethod
    def weighed(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """Channels and their gradients, (C, …) each, to one map."""

    def settled(self, request: Request) -> Request:
        if request.layer is not None:
            return request
        number = request.explained[0]
        stages = spatial_outputs(request.subject, request.output(number))
        return request.looking_at(stages[-1].name)

    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        assert request.layer is not None  # `settled` chooses one
        inputs = inputs.clone().requires_grad_()
        with tapped(layer_named(request.subject, request.layer)) as noted:
            score = request.output(number)(inputs).sum()
        activations = noted[-1]
        spatial_layer(request, activations)
        [gradients] = torch.autograd.grad(score, activations)
        small = self.weighed(activations[0], gradients[0]).clamp(min=0)
        places = "x".join(map(str, small.shape))
        return Attributed(_enlarged(small, inputs), {"layer": request.layer, "places": places})


def _enlarged(small: Tensor, inputs: Tensor) -> Tensor:
    """A map of places, (H, W) or (1, L), of the sides of the inputs (1, C, …)."""
    sides, mode = inputs.shape[2:], "bilinear" if inputs.ndim == 4 else "linear"
    large = functional.interpolate(small[None, None], size=sides, mode=mode, align_corners=False)
    return large[0, 0] if inputs.ndim == 4 else large[0]
