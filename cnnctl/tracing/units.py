"""One output of a layer, term by term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from cnnctl.tracing.windows import AVG_POOLS, CONVS, MAX_POOLS, places, position_of, taken

MOST_INPUTS = 12
"""Inputs of a unit of which the derivatives are listed, where it has no weights."""


@dataclass(slots=True)
class UnitWorking:
    """How one output of a layer is computed, and what the backward pass makes of it."""

    layer: str
    index: tuple[int, ...]
    output: float
    inputs: Tensor
    """(F,), or the window (C, *sides); NaN is padding of a max pooling."""
    factors: Tensor | None = None
    """What each is multiplied by; None for a maximum."""
    bias: float | None = None
    positions: Sequence[tuple[int, ...]] = ()
    """Where in the layer's input each of `inputs` is, if they are not all of it."""
    corner: tuple[int, ...] = ()
    """Position in the input of the first value of a window; negative in the padding."""
    winner: tuple[int, ...] = ()
    """Position in the input of the maximum: channel, row, column."""
    has_weights: bool = False
    """Whether `factors` are its weights."""
    is_derivative: bool = False
    """Whether `factors` are derivatives, so that products do not add up to the output."""
    delta: float | None = None
    """Derivative of the loss to the output."""
    weight_rows: dict[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    """Of its weights, by letter: gradient, before and after the step."""

    @property
    def products(self) -> Tensor | None:
        """Each input times its factor."""
        return None if self.factors is None else self.inputs * self.factors


@dataclass(slots=True)
class UnitView:
    """Looks at a layer while it is called, and works out one of its outputs."""

    layer: str
    index: tuple[int, ...]
    working: UnitWorking | None = None

    def __call__(self, name: str, module: nn.Module, input: Tensor, output: Tensor) -> None:
        """Work it out if this is the layer; see `recording.Viewer`."""
        if name == self.layer and self.working is None:
            self.working = self._worked(module, input, output)

    def _worked(self, module: nn.Module, input: Tensor, output: Tensor) -> UnitWorking:
        value = float(output.detach()[0][self.index])
        given = input.detach()[0].clone()
        if isinstance(module, nn.Linear):
            bias = None if module.bias is None else float(module.bias.detach()[self.index[0]])
            factors = module.weight.detach()[self.index[0]].clone()
            return UnitWorking(
                self.layer, self.index, value, given, factors, bias, has_weights=True
            )
        if isinstance(module, CONVS):
            return self._of_convolution(module, given, output, value)
        if isinstance(module, MAX_POOLS + AVG_POOLS):
            return self._of_pooling(module, input, output, value)
        return self._of_slopes(input, output, value)

    def _of_convolution(
        self, module: nn.Conv1d | nn.Conv2d, given: Tensor, output: Tensor, value: float
    ) -> UnitWorking:
        channel, *at = self.index
        window = places(module, at, given.shape[1:], output.shape[2:])
        width = given.shape[0] // module.groups
        first = channel // (output.shape[1] // module.groups) * width
        inputs = taken(given[first : first + width], window, mode=module.padding_mode, outside=0.0)
        bias = None if module.bias is None else float(module.bias.detach()[channel])
        factors = module.weight.detach()[channel].clone()
        corner = (first, *(side[0] for side in window))
        return UnitWorking(
            self.layer, self.index, value, inputs, factors, bias, corner=corner, has_weights=True
        )

    def _of_pooling(
        self, module: nn.Module, input: Tensor, output: Tensor, value: float
    ) -> UnitWorking:
        channel, *at = self.index
        given = input.detach()[0].clone()
        window = places(module, at, given.shape[1:], output.shape[2:])
        is_max = isinstance(module, MAX_POOLS)
        outside = float("-inf") if is_max else 0.0
        inputs = taken(given[channel : channel + 1], window, mode="zeros", outside=outside)
        working = UnitWorking(self.layer, self.index, value, inputs)
        working.corner = (channel, *(side[0] for side in window))
        if is_max:
            winner = position_of(int(inputs[0].flatten().argmax()), window)
            working.winner = (channel, *winner)
        else:
            [slopes] = torch.autograd.grad(output[(0, *self.index)], input, retain_graph=True)
            working.factors = torch.full_like(inputs, float(slopes.max()))
        return working

    def _of_slopes(self, input: Tensor, output: Tensor, value: float) -> UnitWorking:
        """Any other layer: the derivatives of the output to those inputs that it depends on."""
        if not output.requires_grad:
            return UnitWorking(self.layer, self.index, value, input.detach()[0][:0].flatten())
        one = output[(0, *self.index)]
        [slopes] = torch.autograd.grad(one, input, retain_graph=True)
        flat = slopes.detach()[0].flatten()
        largest = flat.abs().topk(min(MOST_INPUTS, flat.numel())).indices.sort().values
        kept = largest[flat[largest] != 0]
        shape = input.shape[1:]
        return UnitWorking(
            self.layer,
            self.index,
            value,
            input.detach()[0].flatten()[kept],
            flat[kept],
            positions=[_unravelled(int(each), shape) for each in kept],
            is_derivative=True,
        )


def _unravelled(flat: int, shape: Sequence[int]) -> tuple[int, ...]:
    position = list[int]()
    for side in reversed(shape):
        flat, place = divmod(flat, side)
        position.append(place)
    return tuple(reversed(position))
