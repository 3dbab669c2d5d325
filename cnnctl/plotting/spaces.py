"""The spaces that a network's function is drawn in: of its inputs, or of a layer's outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import product
from math import prod

import torch
from torch import Tensor, nn

from cnnctl.data.features import Feature
from cnnctl.device import autocast
from cnnctl.errors import config_fault, nearest
from cnnctl.prediction.outputs import block_size
from cnnctl.subject import Subject


class Space(ABC):
    """Points (N, D) on the CPU, which samples have and from which the network goes on."""

    names: list[str]
    """The names of the D coordinates."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._size = block_size(subject.trained.plan, subject.trained.device)

    @abstractmethod
    def of(self, inputs: Tensor) -> Tensor:
        """The points of normalised inputs (N, …): (N, D)."""

    @abstractmethod
    def outputs(self, points: Tensor) -> Tensor:
        """The network's outputs for points (N, D): (N, outputs)."""

    def in_blocks(self, compute: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        """The results for all points, computed some at a time; on the CPU."""
        trained = self.subject.trained
        with torch.no_grad(), autocast(trained.experiment.train.precision, trained.device):
            parts = [compute(part).float().cpu() for part in torch.split(points, self._size)]
        return torch.cat(parts)


class InputSpace(Space):
    """The inputs of a network, in the units of the user's data; pixels from 0 to 1."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.shape = subject.shape
        features = subject.data.features()
        if len(features) != prod(self.shape):  # channels have names, too
            features = list(_numbered("x", self.shape))
        self.names = [feature.name for feature in features]
        self._offset = torch.tensor([feature.offset for feature in features])
        self._scale = torch.tensor([feature.scale for feature in features])

    def of(self, inputs: Tensor) -> Tensor:
        """The points of normalised inputs (N, …): (N, D)."""
        return self.subject.in_units(inputs).flatten(1).cpu() * self._scale + self._offset

    def outputs(self, points: Tensor) -> Tensor:
        """The network's outputs for points (N, D): (N, outputs)."""
        return self.in_blocks(lambda part: self.subject.trained.network(self.inputs(part)), points)

    def inputs(self, points: Tensor) -> Tensor:
        """Points (N, D) as the network takes them, (N, …) on the device."""
        stored = ((points - self._offset) / self._scale).reshape(-1, *self.shape)
        return self.subject.trained.preprocessing.inputs(stored).to(self.subject.trained.device)


class LayerSpace(Space):
    """The outputs of a layer; within a block, there is no way on from them."""

    def __init__(self, subject: Subject, layer: str) -> None:
        super().__init__(subject)
        plan = subject.trained.plan
        known = {planned.name: planned for planned, _ in plan.nested()}
        if layer not in known:
            raise config_fault(f"there is no layer {layer}", hint=nearest(layer, list(known)))
        self.layer, self.shape = layer, known[layer].output
        self.names = [feature.name for feature in _numbered(layer, self.shape)]
        children = dict(subject.trained.network.named_children())
        position = list(children).index(layer) + 1 if layer in children else None
        self._before = list(children.values())[:position]
        self._after = None if position is None else list(children.values())[position:]

    @property
    def goes_on(self) -> bool:
        """Whether the network's outputs follow from the points."""
        return self._after is not None

    def of(self, inputs: Tensor) -> Tensor:
        """The points of normalised inputs (N, …): (N, D)."""
        compute = self._inside if self._after is None else nn.Sequential(*self._before)
        return self.in_blocks(lambda part: compute(part).flatten(1), inputs)

    def _inside(self, inputs: Tensor) -> Tensor:
        """The outputs of a layer within a block."""
        network, seen = self.subject.trained.network, list[Tensor]()
        # a clone, since the next layer may work in place
        hook = network.get_submodule(self.layer).register_forward_hook(
            lambda module, given, output: seen.append(output.clone())
        )
        try:
            network(inputs)
        finally:
            hook.remove()
        return seen[0]

    def outputs(self, points: Tensor) -> Tensor:
        """The network's outputs for points (N, D): (N, outputs)."""
        assert self._after is not None  # see `goes_on`
        after, device = nn.Sequential(*self._after), self.subject.trained.device
        return self.in_blocks(lambda part: after(part.reshape(-1, *self.shape).to(device)), points)


def _numbered(name: str, shape: tuple[int, ...]) -> Iterator[Feature]:
    """`x[0]`, `x[1]`, …; `x[0,3,5]` is a pixel."""
    assert prod(shape) > 0
    for position in product(*map(range, shape)):
        yield Feature(f"{name}[{','.join(map(str, position))}]")
