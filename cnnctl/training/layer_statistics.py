"""What the layers of a network do in a step: gradients, updates and outputs, a row for each.

The figures stay on the device until all of them are read at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import chain, islice
from math import inf, isfinite, isnan, sqrt
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
    zeros: float | None = None
    """Share of its outputs that are zero."""

    def to_json(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)

    def figures(self) -> dict[str, float]:
        """The figures that it has, by name."""
        named = {name: getattr(self, name) for name in FIGURES}
        return {name: value for name, value in named.items() if value is not None}


FIGURES = tuple(field.name for field in fields(LayerStatistics))[1:]


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What several outputs of a layer have in common."""

    count: int
    """Values of the outputs."""
    sums: Tensor
    """Their sum, the sum of their squares, and how many are zero, (3,) float64."""
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

    def numbers(self) -> Tensor:
        """The sums and the number of dead or saturated units, (4,) float64; see `figures`."""
        units = self.sums.new_zeros(())
        if self.zero is not None:
            units = self.zero.sum()
        elif self.distances is not None:
            values = self.count / len(self.distances)
            units = (self.distances > SATURATED * values).sum()
        return torch.cat([self.sums, units.double()[None]])

    def figures(
        self, total: float, squares: float, zeros: float, units: float
    ) -> dict[str, float | None]:
        """Those of `LayerStatistics` that describe outputs; None for one that is not finite."""
        mean = total / self.count
        variance = squares / self.count - mean**2
        if not isfinite(variance):
            return {}
        figures: dict[str, float | None] = {"mean": mean, "spread": sqrt(max(variance, 0.0))}
        if self.zero is not None:
            figures |= {"dead": units / len(self.zero), "zeros": zeros / self.count}
        elif self.distances is not None:
            figures |= {"saturated": units / len(self.distances)}
        return figures


class OutputStatistics:
    """The outputs of every layer since the hooks were set, over all forward passes."""

    def __init__(self) -> None:
        self.of: dict[str, _Outputs] = {}

    def add(self, name: str, module: nn.Module, output: Tensor) -> None:
        """Add an output (N, C, ...) of this layer."""
        if output.numel():
            found = _outputs(module, output.float())
            self.of[name] = self.of[name] + found if name in self.of else found


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
    count, mean = output.numel(), output.mean()
    deviation = torch.linalg.vector_norm(output - mean)  # var_mean takes 20 times as long on a CPU
    zeros, zero, distances = torch.zeros_like(mean), None, None
    if isinstance(module, RECTIFIERS):
        zeros = count - output.count_nonzero()
        zero = _by_unit(output.abs(), Tensor.amax) == 0
    elif (bounds := _bounds(module)) is not None:
        low, high = bounds
        distances = _by_unit((output - (low + high) / 2).abs_(), Tensor.sum) * (2 / (high - low))
    total = mean.double() * count
    sums = torch.stack([total, deviation.double() ** 2 + total * mean, zeros.double()])
    return _Outputs(count, sums, zero, distances)


def _bounds(module: nn.Module) -> tuple[float, float] | None:
    if isinstance(module, nn.Hardtanh):  # of which ReLU6, a rectifier, is a subclass
        return module.min_val, module.max_val
    return BOUNDS.get(type(module))


def _by_unit(output: Tensor, reduced: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Reduce an output (N, C, ...) to its units, (C,).

    Over the samples first, in the order of the memory: all at once can take 30 times as long.
    """
    if output.ndim == 4 and output.is_contiguous(memory_format=torch.channels_last):
        return reduced(reduced(output.permute(0, 2, 3, 1), 0).flatten(0, 1), 0)
    return reduced(reduced(output, 0).flatten(1), 1) if output.ndim > 2 else reduced(output, 0)


ByLayer = Mapping[str, Sequence[Tensor]]
"""Tensors of every layer, by its name."""


def copy_of_weights(network: nn.Module) -> ByLayer:
    """The weights of every layer as they are now, to compare with after a step."""
    return {
        name: [weight.detach().clone() for weight in own_weights(module)]
        for name, module in layers_of(network).items()
    }


@torch.no_grad()
def layer_statistics(
    network: nn.Module,
    *,
    outputs: OutputStatistics | None = None,
    before: ByLayer | None = None,
) -> list[LayerStatistics]:
    """A row for every layer, in the order of its modules; waits for the device once.

    Gradients are those that the weights have now, as after a step: clipped, with penalties.

    Args:
        outputs: of a forward pass; see `observed_outputs`.
        before: the weights before the step that was taken; see `copy_of_weights`.
    """
    then, found = before or {}, outputs.of if outputs else {}
    weights = {name: own_weights(module) for name, module in layers_of(network).items()}
    gradients = {
        name: [weight.grad for weight in own if weight.grad is not None]
        for name, own in weights.items()
    }
    changes = {
        name: [new - old for new, old in zip(weights[name], tensors, strict=True)]
        for name, tensors in then.items()
    }
    groups: Sequence[ByLayer] = (gradients, weights, changes, then)
    numbers = _read([*map(_norms, groups), *(each.numbers() for each in found.values())])
    gradient, weight, change, size = map(_rms, groups, numbers)
    figures = {
        name: each.figures(*read)
        for (name, each), read in zip(found.items(), numbers[len(groups) :], strict=True)
    }
    return [
        LayerStatistics(
            name,
            gradient=inf if isnan(gradient.get(name, 0.0)) else gradient.get(name),
            weight=weight.get(name),
            update=change[name] / size[name] if size.get(name) else None,
            **figures.get(name, {}),
        )
        for name in weights
    ]


def _norms(group: ByLayer) -> Tensor:
    """The norm of every tensor, one after another."""
    tensors = list(chain.from_iterable(group.values()))
    return torch.stack(torch._foreach_norm(tensors)) if tensors else torch.empty(0)


def _rms(group: ByLayer, norms: Sequence[float]) -> dict[str, float]:
    """The root mean square of all elements of a layer's tensors, from the norm of every tensor."""
    each, found = iter(norms), {}
    for name, tensors in group.items():
        if tensors:
            squares = sum(norm**2 for norm in islice(each, len(tensors)))
            found[name] = sqrt(squares / sum(tensor.numel() for tensor in tensors))
    return found


def _read(parts: Sequence[Tensor]) -> list[list[float]]:
    """The numbers of each tensor (K,); waits for the device once."""
    filled = [part.double() for part in parts if len(part)]
    numbers = iter(torch.cat(filled).tolist() if filled else [])
    return [list(islice(numbers, len(part))) for part in parts]


def own_weights(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a module itself, without biases."""
    named = module.named_parameters(recurse=False)
    return [parameter for name, parameter in named if not name.endswith("bias")]
