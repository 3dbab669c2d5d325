"""Filters: the weights of a layer as pictures."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cnnctl.errors import config_fault
from cnnctl.explanation.explanation import Explanation, Fact, Panel
from cnnctl.explanation.galleries import in_rows, on_one_scale
from cnnctl.explanation.layers import some_of, weighted_layers
from cnnctl.explanation.method import Method
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject

MOST = 64
"""Filters on a sheet."""


class Filters(Method):
    """The kernels of a convolution, or the weights of units that see the pixels themselves."""

    name = "filters"
    reference = "Krizhevsky et al. 2012; Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901"
    options = frozenset({"layer"})
    needs_samples = False

    def misfit(self, subject: Subject) -> str:
        if len(subject.shape) == 1:
            return "needs pictures or signals, and these samples are vectors"
        return "" if _drawable(subject) else "needs a convolution, or weights of pixels"

    def explain(self, request: Request) -> Explanation:
        name, weights = _weights_of(request.subject, request.layer)
        shown = weights[:MOST]
        ndim = len(request.subject.shape)
        is_colour = ndim == 3 and shown.shape[1] == 3
        panels = _in_colours(shown) if is_colour else _as_maps(shown, ndim)
        what = f"filters: the weights of {name}, {_how(shown, ndim)}"
        limit = float(shown.abs().max())
        colours = f": 0 is grey, black and white are -{limit:.3g} and {limit:.3g}"
        scale = f"all on one scale{colours if is_colour else ''}"
        more = f"{MOST} of {len(weights):,} filters" if len(weights) > MOST else ""
        facts: dict[str, Fact] = {
            "filters": len(weights),
            "shape": "x".join(map(str, weights.shape[1:])),
            "lowest": float(weights.min()),
            "highest": float(weights.max()),
        }
        return Explanation(
            method=self.name,
            ndim=ndim,
            notes=[what, scale, *([more] if more else [])],
            rows=list(in_rows(list(panels), name=name, title=name, facts=facts)),
            has_many=True,
            arrays={"filters": weights},
        )


def _drawable(subject: Subject) -> dict[str, Tensor]:
    """The weights (K, C, …) that can be drawn, by the names of their layers."""
    found = {}
    for name, module in weighted_layers(subject).items():
        weight = module.weight.detach().float().cpu()
        if weight.ndim == 1 + len(subject.shape):
            found[name] = weight
        elif isinstance(module, nn.Linear) and module.in_features == _size(subject):
            found[name] = weight.reshape(-1, *subject.shape)
    return found


def _size(subject: Subject) -> int:
    return torch.Size(subject.shape).numel()


def _weights_of(subject: Subject, name: str | None) -> tuple[str, Tensor]:
    known = _drawable(subject)
    if name is None:
        return next(iter(known.items()))
    if name not in known:
        message = f"--layer: {name} has no filters"
        raise config_fault(message, hint=some_of([*known]))
    return name, known[name]


def _how(weights: Tensor, ndim: int) -> str:
    count = weights.shape[1]
    if count == 1:
        return "blue below 0, red above"
    if ndim == 3 and count == 3:
        return "in red, green and blue"
    return (
        f"mean over its {count} channels" if ndim == 3 else f"a stripe for each of {count} channels"
    )


def _in_colours(weights: Tensor) -> Iterator[Panel]:
    limit = weights.abs().max()
    for number, each in enumerate(weights / (2 * limit) + 0.5 if limit else weights + 0.5):
        yield Panel(each, captions=(f"{number}",))


def _as_maps(weights: Tensor, ndim: int) -> list[Panel]:
    maps = weights.mean(1) if ndim == 3 else weights
    return on_one_scale(maps, map(str, range(len(maps))))
