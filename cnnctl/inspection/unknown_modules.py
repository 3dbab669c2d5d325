"""Measures modules of unknown type, and the modules in them, by running them on the meta device.

Multiply-adds are those of torch's own flop counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from cnnctl.inspection.cost import Cost, Part
from cnnctl.model.inference import rehearsing
from cnnctl.model.layer import Saved, Shape

FLOPS = 4
"""FLOPs that the counter reports for one multiply-add of each of two samples."""
_WITHOUT_PRODUCTS = (
    "_adaptive", "_log_softmax", "_native_batch_norm", "_prelu", "_safe_softmax", "_softmax",
    "_to_copy", "_unsafe_index", "_unsafe_view", "_upsample", "adaptive", "amax", "amin", "any",
    "arange", "argmax", "as_strided", "avg_pool", "bernoulli", "cat", "channel_shuffle", "clone",
    "constant_pad", "copy", "detach", "embedding", "empty", "fill", "flip", "full", "gather",
    "hardswish", "index", "linalg_vector_norm", "log_sigmoid", "max", "mean", "min", "native_",
    "new_", "ones", "pixel_", "reflection_pad", "repeat", "replication_pad", "roll",
    "scalar_tensor", "select_scatter", "slice_scatter", "sort", "split_with_sizes", "stack",
    "std", "sum", "topk", "unsafe_split", "upsample", "var", "zero",
)  # fmt: skip
"""Prefixes of operators without multiply-adds, for which torch therefore has no formula."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of a module."""

    cost: Cost
    parts: tuple[Part, ...]
    """Modules in it, in the order of their first calls."""
    saved: Saved


def measure_module(module: nn.Module, input: Shape, *, needs_gradient: bool) -> Measured:
    """Run a module on the meta device with two samples, since batch norm rejects a single one.

    Args:
        needs_gradient: whether an earlier layer learns.
    """
    samples = torch.empty(2, *input, device="meta").requires_grad_(needs_gradient) * 1
    meter, saved = Meter(), _Savings()
    with ExitStack() as hooks, meter.unknown, meter.counter, saved.hooks:
        for name, part in _leaves(rehearsing(module)):
            before = part.register_forward_pre_hook(meter.before, with_kwargs=True)
            after = part.register_forward_hook(meter.after(name), with_kwargs=True)
            for handle in (before, after):
                hooks.callback(handle.remove)
        output: Tensor = module(samples)
    return Measured(
        meter.cost((0, 0), samples, output),
        tuple(meter.parts.values()),
        saved.found(module, samples, output),
    )


def _leaves(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The innermost modules; those of torch.nn count as such, whatever they contain."""
    for name, child in module.named_children():
        is_chain = type(child).__module__ == "torch.nn.modules.container"
        is_torchs = type(child).__module__.startswith("torch.nn.modules.") and not is_chain
        if is_torchs or next(child.children(), None) is None:
            yield name, child
        else:
            yield from ((f"{name}.{inner}", leaf) for inner, leaf in _leaves(child))


class _Unknown(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators that may multiply, but have no formula in torch's flop counter."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls = 0

    def __torch_dispatch__(
        self,
        func: OpOverload[Any, Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.calls += not _is_accounted_for(func)
        return func(*args, **(kwargs or {}))


def _is_accounted_for(operator: OpOverload[Any, Any]) -> bool:
    harmless = {torch.Tag.pointwise, torch.Tag.reduction, torch.Tag.inplace_view}
    if operator._overloadpacket in flop_registry or operator.is_view:
        return True
    if operator.namespace != "aten":
        return operator.namespace == "prim"
    name = operator._schema.name.removeprefix("aten::")
    return bool(harmless & set(operator.tags)) or name.startswith(_WITHOUT_PRODUCTS)


class Meter:
    """Reads both counters before and after every part."""

    def __init__(self) -> None:
        self.unknown = _Unknown()
        self.counter = FlopCounterMode(display=False)
        self.started: dict[nn.Module, tuple[int, int]] = {}
        self.parts: dict[nn.Module, Part] = {}

    def reading(self) -> tuple[int, int]:
        """FLOPs so far, and calls so far of operators without a formula."""
        return self.counter.get_total_flops(), self.unknown.calls

    def before(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        """Record the counters at the start of a part."""
        self.started[module] = self.reading()

    def after(self, name: str) -> Any:
        """A hook that adds the cost of this call to the cost of the part."""

        def note(module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
            taken, given = first_tensor((*args, *kwargs.values())), first_tensor(output)
            cost = self.cost(self.started[module], taken, given)
            if module in self.parts:
                cost = _sum(self.parts[module].cost, cost)
            shapes = (tuple(taken.shape[1:]), tuple(given.shape[1:]))
            self.parts[module] = Part(name, module, *shapes, cost)

        return note

    def cost(self, start: tuple[int, int], input: Tensor, output: Tensor) -> Cost:
        """The cost since a reading."""
        flops, unknown = (now - then for now, then in zip(self.reading(), start, strict=True))
        size = 0 if _storage(output) == _storage(input) else output.nbytes // 2
        return Cost(flops // FLOPS, size, unknown == 0, str(output.dtype).removeprefix("torch."))


def _sum(first: Cost, second: Cost) -> Cost:
    return Cost(
        first.multiply_adds + second.multiply_adds,
        first.output_bytes + second.output_bytes,
        first.is_counted and second.is_counted,
        second.dtype,
    )


def first_tensor(value: Any) -> Tensor:
    """The first tensor in the inputs or outputs of a module."""
    found = value if isinstance(value, Sequence) else [value]
    return next((item for item in found if isinstance(item, Tensor)), torch.empty(0, device="meta"))


def _storage(tensor: Tensor) -> int:
    """An identifier that tensors with the same memory share; meta tensors have no address."""
    return int(tensor.untyped_storage()._cdata)


class _Savings:
    """Holds every tensor that autograd saves, so that no storage identifier is reused."""

    def __init__(self) -> None:
        self.tensors: dict[int, Tensor] = {}
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.note, lambda tensor: tensor)

    def note(self, tensor: Tensor) -> Tensor:
        """Record a tensor that is saved."""
        self.tensors[_storage(tensor)] = tensor
        return tensor

    def found(self, module: nn.Module, input: Tensor, output: Tensor) -> Saved:
        """The saved tensors, without parameters and buffers."""
        own = {_storage(tensor) for tensor in (*module.parameters(), *module.buffers())}
        ends = {_storage(input), _storage(output)}
        beside = sum(
            tensor.untyped_storage().nbytes()
            for number, tensor in self.tensors.items()
            if number not in own | ends
        )
        has_output = _storage(output) in self.tensors and _storage(output) != _storage(input)
        return Saved(_storage(input) in self.tensors, has_output, beside // 2)
