"""SHAP: Shapley values of the parts of an input, estimated by a weighted regression."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnctl.explanation.attribution import Attributed
from cnnctl.explanation.parts import parts_of
from cnnctl.explanation.perturbation import (
    TOGETHER,
    Perturbation,
    replaced_by,
    unit_of,
    without_gradients,
)
from cnnctl.explanation.request import Request

SAMPLES, PER_PART = 512, 20
"""Changed samples, at least, and for each part."""
SEED = 0


class Shap(Perturbation):
    """What a part adds to the probability, as a mean over all sets of other parts."""

    name = "shap"
    reference = "Lundberg and Lee 2017, https://arxiv.org/abs/1705.07874"

    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        from captum.attr import KernelShap

        parts, score = parts_of(request.subject), without_gradients(request.share(number))
        difference = float(score(inputs) - score(torch.zeros_like(inputs)))
        if parts.count == 1:
            return Attributed(torch.tensor([difference]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            found = (
                KernelShap(score)
                .attribute(
                    inputs,
                    baselines=0,
                    feature_mask=parts.of.to(inputs.device)[None],
                    n_samples=max(SAMPLES, PER_PART * parts.count),
                    perturbations_per_eval=TOGETHER,
                    return_input_shape=False,
                )[0]
                .cpu()
            )
        return Attributed(
            parts.spread(found), {"sum": float(found.sum()), "difference": difference}
        )

    def meaning(self, request: Request) -> str:
        described, other = parts_of(request.subject).described, replaced_by(request)
        return f"what each of {described} adds to {unit_of(request)}, instead of {other}"
