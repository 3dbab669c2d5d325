"""Occlusion: how a probability changes where a window hides the input."""

from __future__ import annotations

import torch
from torch import Tensor

from cnnctl.explanation.attribution import Attributed
from cnnctl.explanation.parts import CELLS, parts_of
from cnnctl.explanation.perturbation import (
    TOGETHER,
    Perturbation,
    replaced_by,
    unit_of,
    without_gradients,
)
from cnnctl.explanation.request import Request


class Occlusion(Perturbation):
    """The mean loss of probability under the windows that hide a place."""

    name = "occlusion"
    reference = "Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901"

    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        from captum.attr import FeatureAblation
        from captum.attr import Occlusion as Captum

        score = without_gradients(request.share(number))
        if inputs.ndim == 2:
            parts = parts_of(request.subject)
            mask = parts.of.to(inputs.device)[None]
            ablated = FeatureAblation(score).attribute(inputs, 0, feature_mask=mask)[0]
            return Attributed(_by_part(ablated, parts.of))
        window = _window(request)
        channels = inputs.shape[1] if inputs.ndim == 4 else 1
        values = Captum(score).attribute(
            inputs,
            sliding_window_shapes=(channels, *window),
            strides=(channels, *(max(1, side // 2) for side in window)),
            baselines=0,
            perturbations_per_eval=TOGETHER,
        )[0]
        return Attributed(values[0] if values.ndim == 3 else values)

    def meaning(self, request: Request) -> str:
        what = "a column" if len(request.subject.shape) == 1 else f"{_words(request)} around it"
        return f"fall of {unit_of(request)} where {what} becomes {replaced_by(request)}"


def _window(request: Request) -> tuple[int, ...]:
    """The sides of the window: a seventh of the input's."""
    return tuple(max(1, round(side / CELLS)) for side in request.subject.shape[1:])


def _words(request: Request) -> str:
    return f"a window of {'x'.join(map(str, _window(request)))}"


def _by_part(values: Tensor, of: Tensor) -> Tensor:
    """The number that all features of a part share, (F,) to (P,)."""
    found = torch.zeros(int(of.max()) + 1, dtype=values.dtype)
    return found.index_copy(0, of, values.cpu())
