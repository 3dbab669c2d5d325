"""A forward pass that changes nothing: names, shapes, and batch norms without company."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cnnctl.errors import FaultError, config_fault, nearest
from cnnctl.model.layer import Shape, describe_shape
from cnnctl.model.network import NetworkPlan
from cnnctl.tracing.recording import parts

_AXES = {1: ("output",), 2: ("channel", "position"), 3: ("channel", "row", "column")}


@dataclass(slots=True)
class Rehearsal:
    """What is known of a network before it is traced."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    """The output of each leaf layer or inner module, without the batch."""
    lonely: list[str] = field(default_factory=list)
    """Batch norms that see a single value of each channel, which has no variance."""

    def index_of(self, unit: str, at: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """The layer and the position in its output that `--unit` and `--at` mean.

        Raises:
            FaultError: there is no such layer, or nothing at this position.
        """
        if not unit:
            hint = f"add --unit LAYER; layers: {', '.join(self._some())}"
            raise config_fault("--at needs a layer", hint=hint)
        name, number = self._split(unit)
        shape, index = self.shapes[name], (*number, *at)
        if not index and shape == (1,):
            index = (0,)
        if len(index) != len(shape):
            raise self._wrong_count(name, shape, index)
        if any(not 0 <= place < side for place, side in zip(index, shape, strict=True)):
            given = ",".join(map(str, index))
            message = f"{given} is outside {describe_shape(shape)}, the output of {name}"
            raise config_fault(message, hint=f"{_ranges(shape)}, counted from 0")
        return name, index

    def _split(self, unit: str) -> tuple[str, tuple[int, ...]]:
        """A layer, and the number after it, if there is one."""
        head, _, tail = unit.rpartition(".")
        if unit in self.shapes:
            return unit, ()
        if head in self.shapes and tail.isdecimal():
            return head, (int(tail),)
        inside = [name for name in self.shapes if name.startswith(f"{unit}.")]
        if inside:
            message = f"{unit} is a block of layers"
            raise config_fault(message, hint=f"choose one: {', '.join(inside[:8])}")
        word = head if tail.isdecimal() and head else unit
        raise config_fault(f"no layer is named {word}", hint=nearest(word, [*self.shapes]))

    def _some(self) -> list[str]:
        return [name for name, shape in self.shapes.items() if len(shape) > 1][:8] or [
            *self.shapes
        ][:8]

    def _wrong_count(self, name: str, shape: Shape, index: tuple[int, ...]) -> FaultError:
        if len(shape) == 1 and not index:
            hint = f"--unit {name}.0 is its first output, {name}.{shape[0] - 1} its last"
            return config_fault(f"{name} has {shape[0]:,} outputs", hint=hint)
        axes = ",".join(_axes(shape))
        message = f"{name} outputs {describe_shape(shape)}"
        example = ",".join("0" * len(shape))
        hint = f"--unit {name} --at {axes}, such as --at {example}"
        return config_fault(message, hint=hint)


def _axes(shape: Shape) -> tuple[str, ...]:
    """What its sides are called."""
    return _AXES.get(len(shape), tuple(f"axis{n}" for n in range(len(shape))))


def _ranges(shape: Shape) -> str:
    sides = zip(_axes(shape), shape, strict=True)
    return ", ".join(f"{axis} 0 to {side - 1}" for axis, side in sides)


@torch.no_grad()
def rehearse(network: nn.Module, plan: NetworkPlan, inputs: Tensor) -> Rehearsal:
    """Run inputs (1, …) through a network in evaluation mode, and leave it as it was."""
    found, was_training = Rehearsal(), {part: part.training for part in network.modules()}

    def note(name: str, module: nn.Module, given: Any, output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        found.shapes[name] = tuple(output.shape[1:])
        is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        if is_norm and output.numel() == output.shape[1]:
            found.lonely.append(name)

    handles = [
        module.register_forward_hook(lambda m, i, o, name=name: note(name, m, i, o))
        for _, name, _, module in parts(network, plan)
    ]
    try:
        network.eval()(inputs)
    finally:
        for handle in handles:
            handle.remove()
        for part, mode in was_training.items():
            part.training = mode
    return found
