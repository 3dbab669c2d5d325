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


class OutputStatistics:
    """The figures of every output since the hooks were set, by the name of the layer."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._calls: dict[str, int] = {}

    def add(self, name: str, figures: Tensor) -> None:
        """Add the figures (4,) of an output; a layer that is run several times has their mean."""
        self._sums[name] = self._sums[name] + figures if name in self._sums else figures
        self._calls[name] = self._calls.get(name, 0) + 1

    def of(self, name: str) -> Tensor | None:
        """The figures of a layer, (4,) float32; None if it has not been run."""
        return self._sums[name] / self._calls[name] if name in self._sums else None


@contextmanager
def observed_outputs(network: nn.Module) -> Iterator[OutputStatistics]:
    """Measure the outputs of all layers of a network in every forward pass of this context."""
    found = OutputStatistics()
    with hooked(network, lambda name, module, out: found.add(name, output_figures(module, out))):
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


def output_figures(module: nn.Module, output: Tensor) -> Tensor:
    """Mean, spread, dead and saturated share of an output (N, C, ...); (4,), NaN for none."""
    output = output.float()
    none = output.new_tensor(torch.nan)
    spread, mean = torch.std_mean(output, correction=0)
    dead = saturated = none
    if isinstance(module, RECTIFIERS):
        dead = (_by_unit(output) == 0).all(dim=1).float().mean()
    elif (bounds := _bounds(module)) is not None:
        low, high = bounds
        distance = (_by_unit(output) * 2 - (low + high)).abs().mean(dim=1) / (high - low)
        saturated = (distance > SATURATED).float().mean()
    return torch.stack([mean, spread, dead, saturated])


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
