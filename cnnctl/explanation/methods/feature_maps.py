"""Feature maps: what the channels of a layer make of a sample."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cnnctl.explanation.attribution import arrays_of, facts_of, titled
from cnnctl.explanation.explanation import Explanation, Panel, Row
from cnnctl.explanation.galleries import in_rows, on_one_scale
from cnnctl.explanation.layers import (
    has_attention,
    layer_named,
    spatial_layer,
    spatial_outputs,
    tapped,
)
from cnnctl.explanation.method import Method
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject

MOST = 31
"""Channels of a sample on a sheet, which with the sample fill four rows."""


class FeatureMaps(Method):
    """The channels of a layer, each as a map."""

    name = "feature-maps"
    reference = "Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901"
    options = frozenset({"layer"})

    def misfit(self, subject: Subject) -> str:
        if has_attention(subject):
            return "needs a network of convolutions, and this one has attention"
        return "" if spatial_outputs(subject) else "needs a layer with several places"

    def explain(self, request: Request) -> Explanation:
        layer = request.layer or spatial_outputs(request.subject)[0].name
        request = request.looking_at(layer)
        module = layer_named(request.subject, layer)
        outputs = []
        for inputs in torch.split(request.samples.inputs, 1):
            with torch.no_grad(), tapped(module) as noted:
                request.network(inputs)
            spatial_layer(request, noted[-1])
            outputs.append(noted[-1][0].float().cpu())
        ndim, channels = len(request.subject.shape), len(outputs[0])
        sides = "x".join(map(str, outputs[0].shape[1:]))
        notes = [
            f"feature-maps: the channels of {layer}, {channels} of {sides}",
            "the maps of a sample have one scale",
        ]
        if channels > MOST:
            notes.append(f"of each sample, the {MOST} channels with the largest mean size")
        samples = request.subject.in_units(request.samples.inputs).cpu()
        pairs = enumerate(zip(samples, outputs, strict=True))
        return Explanation(
            method=self.name,
            ndim=ndim,
            notes=notes,
            rows=[row for index, pair in pairs for row in _rows(request, index, *pair)],
            has_many=True,
            names=request.task.target.class_names,
            arrays={"feature_maps": torch.stack(outputs)} | arrays_of(request),
        )


def _rows(request: Request, index: int, sample: Tensor, channels: Tensor) -> Iterator[Row]:
    """The sample and its channels, (K, …)."""
    size = channels.abs().flatten(1).mean(1)
    chosen = sorted(size.argsort(descending=True, stable=True)[:MOST].tolist())
    maps = channels[chosen] if channels.ndim == 3 else channels[chosen][:, None]
    shown = on_one_scale(maps, [f"channel {number}" for number in chosen])
    silent = int((channels.flatten(1) == 0).all(1).sum())
    facts = facts_of(request, index) | {
        "channels": len(channels),
        "all zero": silent,
        "lowest": float(channels.min()),
        "highest": float(channels.max()),
    }
    panels = [Panel(sample, captions=("input",)), *shown]
    name = request.samples.names[index]
    yield from in_rows(panels, name=name, title=titled(request, index), facts=facts)
