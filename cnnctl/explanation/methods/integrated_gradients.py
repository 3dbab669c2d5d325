"""Integrated gradients: how the difference of an output to that of the mean splits up."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnctl.explanation.attribution import Attributed, Attribution
from cnnctl.explanation.parts import by_column
from cnnctl.explanation.perturbation import replaced_by
from cnnctl.explanation.request import Request

STEPS = (32, 128, 512)
"""Steps from the baseline to the sample; more are taken until the sum is close enough."""
CLOSE, LEAST = 0.01, 0.1
"""How far the sum may be from the difference, as a share of it or of this, unless steps run out."""
TOGETHER = 32


class IntegratedGradients(Attribution):
    """Gradients along the line from the mean sample, summed: they add up to the difference."""

    name = "integrated-gradients"
    reference = "Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365"
    package = "captum"
    is_signed = True
    is_by_pixel = True

    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        from captum.attr import IntegratedGradients as Captum

        score = request.output(number)
        with torch.no_grad():
            difference = float(score(inputs) - score(torch.zeros_like(inputs)))
        values, steps = inputs, 0
        for steps in STEPS:
            options = {"n_steps": steps, "internal_batch_size": TOGETHER}
            values = Captum(score).attribute(inputs, method="riemann_middle", **options)[0]
            if abs(float(values.sum()) - difference) <= CLOSE * max(abs(difference), LEAST):
                break
        facts = {"sum": float(values.sum()), "difference": difference, "steps": steps}
        if values.ndim == 1:
            return Attributed(by_column(request.subject, values, is_signed=True), facts)
        return Attributed(values.sum(0) if values.ndim == 3 else values, facts)

    def meaning(self, request: Request) -> str:
        return f"what each input adds to the output, from {replaced_by(request)} to the sample"
