"""What the layers of a network do in a step: gradients, updates and outputs, a row for each.

The figures stay on the device until all of them are read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

import torch
from torch import Tensor, nn

BOUNDS: Mapping[type[nn.Module], tuple[float, float]] = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Hardsigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.Softsign: (-1.0, 1.0),
}
"""Activations that saturate, and what their outputs lie between."""
RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Hardswish)
"""Activations that are exactly zero, without a gradient, below some input."""
SATURATED = 0.85
"""Mean distance of a unit from the middle of its bounds, of the largest possible one, from which
on it is called saturated (TheDeepChecker, Ben Braiek and Khomh 2022)."""


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """The figures of one layer; None where it has none."""

    layer: str
    """Its name in the network: `conv1`, `residual1.conv1`."""
    gradient: float | None = None
    """RMS of the gradients of its weights."""
    weight: float | None = None
    """RMS of its weights; biases do not count."""
    update: float | None = None
    """RMS of the change of its weights in a step, divided by their RMS before it."""
    mean: float | None = None
    """Mean of its outputs."""
    spread: float | None = None
    """Standard deviation of its outputs."""
    dead: float | None = None
    """Share of its units (channels of an image) that are zero for every sample."""
    saturated: float | None = None
    """Share of its units that are saturated; see SATURATED."""

    def to_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)

    def figures(self) -> dict[str, float]:
        """The figures that it has, by name."""
        named = asdict(self)
        del named["layer"]
        return {name: value for name, value in named.items() if value is not None}


OUTPUTS = 4
"""Figures of an output: mean, spread, dead, saturated."""


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What several outputs of a layer have in common."""

    count: int
    """Values of the outputs."""
    sums: Tensor
    """Their sum and the sum of their squares, (2,) float64."""
    zero: Tensor | None
    """Which units are zero in all of them, (C,) bool; None for other layers than rectifiers."""
    distances: Tensor | None
    """The distances of each unit from the middle of its bounds, from 0 to 1, summed: (C,)."""

    def __add__(self, other: _Outputs) -> _Outputs:
        return _Outputs(
            self.count + other.count,
            self.sums + other.sums,
            None if self.zero is None or other.zero is None else self.zero & other.zero,
            None
            if self.distances is None or other.distances is None
            else self.distances + other.distances,
        )

    def figures(self) -> Tensor:
        """Mean, spread, dead and saturated share, (4,) float32; NaN for none."""
        mean, square = self.sums / self.count
        spread = (square - mean**2).clamp(min=0).sqrt()
        none = mean.new_tensor(torch.nan, dtype=torch.float32)
        dead = none if self.zero is None else self.zero.float().mean()
        saturated = none
        if self.distances is not None:
            values = self.count / len(self.distances)
            saturated = (self.distances / values > SATURATED).float().mean()
        return torch.stack([mean.float(), spread.float(), dead, saturated])


class OutputStatistics:
    """The outputs of every layer since the hooks were set, over all forward passes."""

    def __init__(self) -> None:
        self._of: dict[str, _Outputs] = {}

    def add(self, name: str, module: nn.Module, output: Tensor) -> None:
        """Add an output (N, C, ...) of this layer."""
        if output.numel():
            found = _outputs(module, output.float())
            self._of[name] = self._of[name] + found if name in self._of else found

    def of(self, name: str) -> Tensor | None:
        """Mean, spread, dead and saturated share of a layer, (4,), NaN for none; None if it has not
        been run."""
        return self._of[name].figures() if name in self._of else None


@contextmanager
def observed_outputs(network: nn.Module) -> Iterator[OutputStatistics]:
    """Measure the outputs of all layers of a network in every forward pass of this context."""
    found = OutputStatistics()
    with hooked(network, found.add):
        yield found


@contextmanager
def hooked(network: nn.Module, see: Callable[[str, nn.Module, Tensor], None]) -> Iterator[None]:
    """Call `see` with the name, the module and the output of every layer that runs here."""

    def hook_of(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.is_floating_point():
                see(name, module, output.detach())

        return hook

    handles = [
        module.register_forward_hook(hook_of(name)) for name, module in layers_of(network).items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def layers_of(network: nn.Module) -> dict[str, nn.Module]:
    """The modules with a row of their own, by name: those that compute something themselves."""
    return {
        name: module
        for name, module in network.named_modules()
        if name and (own_weights(module) or type(module) in BOUNDS or _is_bent(module))
    }


def _is_bent(module: nn.Module) -> bool:
    return isinstance(module, (*RECTIFIERS, nn.Hardtanh))


def _outputs(module: nn.Module, output: Tensor) -> _Outputs:
    variance, mean = torch.stack(torch.var_mean(output, correction=0)).double()
    sums = torch.stack([mean, variance + mean**2]) * output.numel()
    zero = distances = None
    if isinstance(module, RECTIFIERS):
        zero = (_by_unit(output) == 0).all(dim=1)
    elif (bounds := _bounds(module)) is not None:
        low, high = bounds
        distances = (_by_unit(output) * 2 - (low + high)).abs().sum(dim=1) / (high - low)
    return _Outputs(output.numel(), sums, zero, distances)


def _bounds(module: nn.Module) -> tuple[float, float] | None:
    if isinstance(module, nn.Hardtanh):  # of which ReLU6, a rectifier, is a subclass
        return module.min_val, module.max_val
    return BOUNDS.get(type(module))


def _by_unit(output: Tensor) -> Tensor:
    """(N, C, ...) as (C, values)."""
    return output.transpose(0, 1).flatten(1)


def copy_of_weights(network: nn.Module) -> dict[str, Sequence[Tensor]]:
    """The weights of every layer as they are now, to compare with after a step."""
    return {
        name: [weight.detach().clone() for weight in own_weights(module)]
        for name, module in layers_of(network).items()
    }


def layer_statistics(
    network: nn.Module,
    *,
    outputs: OutputStatistics | None = None,
    before: Mapping[str, Sequence[Tensor]] | None = None,
) -> list[LayerStatistics]:
    """A row for every layer, in the order of its modules; waits for the device once.

    Gradients are those that the weights have now, as after a step: clipped, with penalties.

    Args:
        outputs: of a forward pass; see `observed_outputs`.
        before: the weights before the step that was taken; see `copy_of_weights`.
    """
    layers = layers_of(network)
    found, then = outputs or OutputStatistics(), before or {}
    rows = [
        _figures(own_weights(module), found.of(name), then.get(name))
        for name, module in layers.items()
    ]
    if not rows:
        return []
    read = torch.stack(rows).tolist()
    return [
        LayerStatistics(name, *(None if isnan(each) else each for each in row))
        for name, row in zip(layers, read, strict=True)
    ]


@torch.no_grad()
def _figures(
    weights: Sequence[nn.Parameter], output: Tensor | None, before: Sequence[Tensor] | None
) -> Tensor:
    """Gradient, weight, update and those of the output, (7,); NaN for none.

    A gradient that is not finite is infinite, to tell it from none.
    """
    device = weights[0].device if weights else output.device if output is not None else None
    none = torch.full((), torch.nan, device=device)
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    gradient = rms(gradients).nan_to_num(torch.inf, torch.inf) if gradients else none
    weight = rms(weights) if weights else none
    update = none
    if weights and before:
        change = [now - then for now, then in zip(weights, before, strict=True)]
        size = rms(before)
        update = (rms(change) / size).where(size > 0, torch.nan)
    rest = none.expand(OUTPUTS) if output is None else output.to(none.device)
    return torch.cat([torch.stack([gradient, weight, update]), rest])


def rms(tensors: Sequence[Tensor]) -> Tensor:
    """The root mean square of all elements of these tensors, as a scalar tensor."""
    squares = torch.stack([tensor.float().square().sum() for tensor in tensors])
    return (squares.sum() / sum(tensor.numel() for tensor in tensors)).sqrt()


def own_weights(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a module itself, without biases."""
    named = module.named_parameters(recurse=False)
    return [parameter for name, parameter in named if not name.endswith("bias")]
