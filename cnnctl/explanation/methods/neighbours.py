"""Neighbours: the training samples that a layer finds most similar."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.explanation.attribution import arrays_of, facts_of, target_of, titled
from cnnctl.explanation.explanation import Explanation, Panel, Row
from cnnctl.explanation.layers import last_hidden, layer_named, tapped
from cnnctl.explanation.method import Method
from cnnctl.explanation.request import Request
from cnnctl.prediction.outputs import block_size
from cnnctl.subject import Subject

COUNT = 5
"""Neighbours of a sample."""


class Neighbours(Method):
    """The nearest training samples by the cosine of a layer's outputs."""

    name = "neighbours"
    reference = "Papernot and McDaniel 2018, https://arxiv.org/abs/1803.04765"
    options = frozenset({"target", "layer"})

    def misfit(self, subject: Subject) -> str:
        return "" if last_hidden(subject) else "needs a hidden layer"

    def explain(self, request: Request) -> Explanation:
        layer = request.layer or last_hidden(request.subject)
        module = layer_named(request.subject, layer)
        own = _represented(request.network, module, request.samples.inputs)
        distances, places = _nearest(request, module, own)
        rows = [_row(request, *each) for each in zip(count(), distances, places, strict=False)]
        return Explanation(
            method=self.name,
            ndim=len(request.subject.shape),
            notes=[
                f"neighbours: training samples whose outputs of {layer} are the most similar",
                "distance: 1 - cosine of the angle between the outputs",
            ],
            rows=rows,
            columns=["input", *(f"neighbour {number + 1}" for number in range(places.shape[1]))],
            names=request.task.target.class_names,
            arrays={"neighbours": places, "distances": distances} | arrays_of(request),
        )


@torch.no_grad()
def _represented(network: nn.Module, module: nn.Module, inputs: Tensor) -> Tensor:
    """The outputs of a layer as vectors of length 1, (N, D)."""
    with tapped(module) as noted:
        network(inputs)
    return functional.normalize(noted[-1].float().flatten(1))


def _nearest(request: Request, module: nn.Module, own: Tensor) -> tuple[Tensor, Tensor]:
    """The distances of the nearest training samples and their positions, (N, COUNT) each."""
    subject, samples = request.subject, request.samples
    parts, size = [], block_size(subject.trained.plan, subject.trained.device)
    for inputs, targets in subject.batches("train").in_order(batch_size=size, filled=True):
        known = _represented(request.network, module, inputs)[: len(targets)]
        parts.append((1 - own @ known.T).cpu())
    distances = torch.cat(parts, dim=1)
    if samples.split == "train":
        for row, position in enumerate(samples.positions):
            distances[row, position] = torch.inf  # the sample itself
    nearest = distances.sort(dim=1, stable=True)
    return nearest.values[:, :COUNT].clamp(min=0), nearest.indices[:, :COUNT]


def _row(request: Request, index: int, distances: Tensor, places: Tensor) -> Row:
    """A sample and its neighbours."""
    found = request.subject.chosen(places.tolist(), "train")
    as_request = replace(request, chosen=found)
    targets = [target_of(as_request, number) for number in range(len(found))]
    samples = request.subject.in_units(found.inputs).cpu()
    near = [
        Panel(sample, captions=(f"{target}", f"{distance:.2g}, {name}"))
        for sample, target, distance, name in zip(
            samples, targets, distances.tolist(), found.names, strict=True
        )
    ]
    own = request.subject.in_units(request.samples.inputs[index : index + 1])[0].cpu()
    facts = facts_of(request, index) | {
        "neighbours": "; ".join(map(str, targets)),
        "nearest": float(distances[0]),
        "farthest": float(distances[-1]),
    }
    name = request.samples.names[index]
    return Row(name, titled(request, index), [Panel(own), *near], facts)
