"""LIME: a linear model of the network around a sample, with parts of it present or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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

SAMPLES, PER_PART = 512, 16
"""Changed samples, at least, and for each part."""
RIDGE = 1e-3
"""Penalty on the squares of the coefficients, for the mean over samples."""
SEED = 0


class Lime(Perturbation):
    """The coefficients of that model: what each part adds to the probability."""

    name = "lime"
    reference = "Ribeiro et al. 2016, https://arxiv.org/abs/1602.04938"

    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        from captum.attr import Lime as Captum

        parts, model = parts_of(request.subject), LinearModel()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            found = Captum(without_gradients(request.share(number)), model).attribute(
                inputs,
                baselines=0,
                feature_mask=parts.of.to(inputs.device)[None],
                n_samples=max(SAMPLES, PER_PART * parts.count),
                perturbations_per_eval=TOGETHER,
                return_input_shape=False,
            )
        return Attributed(parts.spread(found[0].cpu()), {"R2": model.explained_variance})

    def meaning(self, request: Request) -> str:
        described, other = parts_of(request.subject).described, replaced_by(request)
        return f"what each of {described} adds to {unit_of(request)}, instead of {other}"


class LinearModel:
    """Weighted ridge regression, with what captum asks of a model, and how well it fits."""

    def __init__(self) -> None:
        self.coefficients = torch.zeros(0)
        self.explained_variance = 0.0
        """The share of the weighted variance that the model explains, R squared."""

    def fit(self, train_data: Iterable[Any], **_: object) -> None:
        """Fit to the one batch of presences (N, P), outputs (N,) and weights (N,)."""
        [(present, outputs, weights)] = train_data
        present, outputs, weights = (each.double().cpu() for each in (present, outputs, weights))
        weights = weights / weights.sum()
        centre, mean = weights @ present, weights @ outputs
        inputs, wanted = present - centre, outputs - mean
        weighted = inputs * weights[:, None]
        penalty = RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64)
        found = torch.linalg.solve(weighted.T @ inputs + penalty, weighted.T @ wanted)
        left = weights @ (wanted - inputs @ found).square()
        spread = weights @ wanted.square()
        self.coefficients = found.float()
        self.explained_variance = float(1 - left / spread) if spread else 1.0

    def representation(self) -> Tensor:
        """The coefficients, (1, P)."""
        return self.coefficients[None]
