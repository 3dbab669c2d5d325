"""Methods that give each part of an input a number: how much an output depends on it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from cnnctl.explanation.explanation import Explanation, Fact, HeatMap, Panel, Row
from cnnctl.explanation.method import Method
from cnnctl.explanation.parts import columns, with_values
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject

OUTLIERS = 0.01
"""Share of the pixels that may be stronger than the end of the scale."""
SHOWN = 3
"""Columns in the facts of a vector; the sheet shows more, and the .npz file all."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """The map of one sample."""

    values: Tensor
    """As `HeatMap.values`, of the input's sides."""
    facts: Mapping[str, Fact] = field(default_factory=dict)


class Attribution(Method):
    """A method whose result is a map for each sample."""

    is_signed: ClassVar[bool]
    is_by_pixel: ClassVar[bool] = False
    """Whether the pixels of a picture have numbers of their own, of which some are outliers."""
    options = frozenset({"target"})

    def settled(self, request: Request) -> Request:
        """The request with what the user has left to the method, such as the layer."""
        return request

    @abstractmethod
    def attribute(self, request: Request, inputs: Tensor, number: int) -> Attributed:
        """The map of a sample (1, …) for the output of this number."""

    @abstractmethod
    def meaning(self, request: Request) -> str:
        """What the numbers of a map are, in a line."""

    def explain(self, request: Request) -> Explanation:
        request = self.settled(request)
        with torch.enable_grad():
            found = [self.attribute(request, *case) for case in request.cases()]
        ndim = len(request.subject.shape)
        beyond = OUTLIERS if self.is_by_pixel and ndim == 3 else 0.0
        values = [each.values.detach().cpu() for each in found]
        maps = [HeatMap.of(each, is_signed=self.is_signed, beyond=beyond) for each in values]
        described = partial(_strongest, request.subject) if ndim == 1 else _range
        facts = [{**each.facts, **described(heat)} for each, heat in zip(found, maps, strict=True)]
        of_scale = "bars are as long as the numbers" if ndim == 1 else "each map has its own scale"
        cut = f"; the strongest {beyond:.0%} have the colour of its end" if beyond else ""
        return Explanation(
            method=self.name,
            ndim=ndim,
            notes=[
                f"{self.name}: {self.meaning(request)}",
                f"explained: {_aim(request)}; {of_scale}{cut}",
            ],
            rows=list(_rows(request, maps, facts)),
            columns=["input", "map", "overlay"] if ndim > 1 else [],
            names=request.task.target.class_names,
            features=[*columns(request.subject)] if ndim == 1 else [],
            arrays={"map": torch.stack([each.values for each in maps])} | arrays_of(request),
        )


def _aim(request: Request) -> str:
    """Which output is explained: the predicted class, or the one that is asked for."""
    if request.target is None and request.task.target.kind != "values":
        return f"the predicted {'label' if request.task.target.kind == 'labels' else 'class'}"
    return request.name_of(request.explained[0])


def _strongest(subject: Subject, heat: HeatMap) -> dict[str, Fact]:
    """The columns with the largest numbers in a line: `bmi +0.31, age -0.02`."""
    named = zip(columns(subject), heat.values.tolist(), strict=True)
    largest = sorted(named, key=lambda each: -abs(each[1]))[:SHOWN]
    sign = "+" if heat.is_signed else ""
    return {"strongest": ", ".join(f"{name} {number:{sign}.3g}" for name, number in largest)}


def _range(heat: HeatMap) -> dict[str, Fact]:
    return {"lowest": float(heat.values.min()), "highest": float(heat.values.max())}


def _rows(request: Request, maps: list[HeatMap], facts: list[dict[str, Fact]]) -> Iterator[Row]:
    samples = request.subject.in_units(request.samples.inputs).cpu()
    for index, (sample, heat) in enumerate(zip(samples, maps, strict=True)):
        own = facts_of(request, index) | facts[index]
        panels = _panels(request.subject, sample, heat)
        title = titled(request, index) + ("" if heat.values.any() else "; the map is 0 everywhere")
        yield Row(request.samples.names[index], title, panels, own)


def _panels(subject: Subject, sample: Tensor, heat: HeatMap) -> list[Panel]:
    """The sample, its map, and the map over the sample, if each pixel or time has one number."""
    if sample.ndim == 1:
        return [Panel(None, heat, features=with_values(subject, sample))]
    is_single = sample.ndim == 3 or len(heat.values) == 1
    return [Panel(sample), Panel(None, heat), *([Panel(sample, heat)] if is_single else [])]


def facts_of(request: Request, index: int) -> dict[str, Fact]:
    """What is known of a sample: prediction, target, and the output that is explained."""
    predicted, explained = request.predicted[index], request.explained[index]
    share = float(request.shares[index, explained])
    facts: dict[str, Fact] = {"explained": request.name_of(explained)}
    if request.task.target.kind == "values":
        return {**facts, "value": share, "target": target_of(request, index)}
    named = {"predicted": request.name_of(predicted), "target": target_of(request, index)}
    return {**named, **facts, "share": share}


def titled(request: Request, index: int) -> str:
    """The sample in a line: `test 3: predicted 7 (98.2 %), target 7; map of 7`."""
    name, predicted = request.samples.names[index], request.predicted[index]
    explained, target = request.explained[index], target_of(request, index)
    known = "" if target is None else f", target {target}"
    if request.task.target.kind == "values":
        value = float(request.shares[index, explained])
        return f"{name}: {request.name_of(explained)} {value:.4g}{known}"
    share = float(request.shares[index, predicted])
    other = float(request.shares[index, explained])
    of = f"; explained: {request.name_of(explained)} ({other:.1%})"
    shown = f"{name}: predicted {request.name_of(predicted)} ({share:.1%}){known}"
    return shown if explained == predicted else shown + of


def target_of(request: Request, index: int) -> str | None:
    """The target of a sample as text: its class, its labels or its value; None if not known."""
    if request.samples.targets is None:
        return None
    own = request.task.own_targets(request.samples.targets)[index : index + 1].cpu()
    if request.task.target.kind == "values":
        values = request.subject.trained.in_own_units(request.task, own.reshape(1, -1))[0]
        return f"{float(values[request.explained[index]]):.4g}"
    names = request.task.target.class_names
    if request.task.target.kind == "labels":
        present = [name for name, is_there in zip(names, own[0].tolist(), strict=True) if is_there]
        return ", ".join(present) or "none"
    return names[int(own.argmax() if own.is_floating_point() else own)]


def arrays_of(request: Request) -> dict[str, Tensor]:
    """Inputs in their units, probabilities or values, and the numbers of the outputs explained."""
    inputs = request.subject.in_units(request.samples.inputs).cpu()
    shares = request.shares.cpu()
    key = "values" if request.task.target.kind == "values" else "probabilities"
    return {"input": inputs, key: shares, "explained": torch.tensor(request.explained)}
