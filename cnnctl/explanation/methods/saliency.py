"""Saliency: how strongly an output reacts to a small change of each pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnctl.explanation.attribution import Attributed, Attribution
from cnnctl.explanation.parts import by_column
from cnnctl.explanation.request import Request


class Saliency(Attribution):
    """The absolute gradient of an output, of a pixel the largest of its channels."""

    name = "saliency"
    reference = "Simonyan et al. 2014, https://arxiv.org/abs/1312.6034"
    is_signed = False
    is_by_pixel = True

    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        inputs = inputs.clone().requires_grad_()
        [gradient] = torch.autograd.grad(request.output(number)(inputs).sum(), inputs)
        size = gradient[0].abs()
        if size.ndim == 1:
            return Attributed(by_column(request.subject, size, is_signed=False))
        return Attributed(size.amax(0) if size.ndim == 3 else size)

    def meaning(self, request: Request) -> str:
        return "|gradient| of the output by each input, normalised"
