"""Gathers the facts of any PyTorch module by running a copy of it on the meta device.

The copy has no data, so that neither the module nor any random state is touched. A module that
only runs on real data is copied with its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from cnnctl.errors import config_fault
from cnnctl.inspection.cost import kernel_of
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.unknown_modules import FLOPS, Meter, first_tensor
from cnnctl.model.inference import rehearsing
from cnnctl.model.layer import Shape

SAMPLES = 2
"""Batch norm rejects a single one."""
COLUMNS = "output,parameters,trainable,multiply-adds,memory"
"""What is known of any module, to be shown of one."""
REST = "rest"
"""The name of a row with what a module computes or holds beside the modules in it."""


def gather_module(
    module: nn.Module, inputs: Sequence[Shape], *, dtype: torch.dtype, batch_size: int
) -> Summary:
    """Gather the facts of every module in it, in the order of their first calls, from a copy.

    Args:
        inputs: the shape of each tensor that it takes, for one sample.
        dtype: the dtype of these tensors.
        batch_size: the batch size of the memory estimate.

    Shared modules and parameters count once. Modules that are never called in evaluation mode
    follow the others.

    Raises:
        FaultError: it cannot be copied, or cannot take such inputs.
    """
    module = getattr(module, "_orig_mod", module)  # of a compiled one
    device = next((each.device for each in module.parameters()), torch.device("cpu"))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        visits = _recorded(module, inputs, dtype, device)
    rows = _Rows(visits, batch_size).below("", visits.module, depth=0)
    return Summary(tuple(inputs[0]), batch_size, tuple(rows))


@dataclass(slots=True)
class _Call:
    """A call that has begun: the counters then, and what the calls inside it took of them."""

    number: int
    flops: int
    unknown: int
    inner_flops: int = 0
    inner_unknown: int = 0


@dataclass(slots=True)
class _Visit:
    """The calls of a module, together: without what the modules in it cost."""

    number: int
    """Of its first call."""
    input: Shape
    output: Shape
    dtype: str
    output_bytes: int = 0
    """For one sample; 0 if it is a view of the input."""
    flops: int = 0
    """Of all samples."""
    unknown: int = 0
    """Operators without a formula."""


class _Visits:
    """Notes every call of a module, and of every module in it."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.found: dict[nn.Module, _Visit] = {}
        self._meter = Meter()
        self._open: list[_Call] = []
        self._calls = 0

    def run(self, inputs: Sequence[Tensor]) -> None:
        """Call the module with these inputs."""
        with ExitStack() as hooks, self._meter.unknown, self._meter.counter:
            for part in self.module.modules():
                before = part.register_forward_pre_hook(self._began, prepend=True)
                after = part.register_forward_hook(self._ended, with_kwargs=True)
                for handle in (before, after):
                    hooks.callback(handle.remove)
            self.module(*inputs)

    def first_call(self, module: nn.Module) -> float:
        """The number of the first call of a module, or of one in it; infinite without any."""
        own = (self.found[part].number for part in module.modules() if part in self.found)
        return min(own, default=float("inf"))

    def _began(self, module: nn.Module, args: Any) -> None:
        self._open.append(_Call(self._calls, *self._meter.reading()))
        self._calls += 1

    def _ended(self, module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        call = self._open.pop()
        flops, unknown = self._meter.reading()
        flops, unknown = flops - call.flops, unknown - call.unknown
        if self._open:
            self._open[-1].inner_flops += flops
            self._open[-1].inner_unknown += unknown
        taken, given = first_tensor((*args, *kwargs.values())), first_tensor(output)
        cost = self._meter.cost(self._meter.reading(), taken, given)
        shapes = tuple(taken.shape[1:]), tuple(given.shape[1:])
        visit = self.found.setdefault(module, _Visit(call.number, *shapes, cost.dtype))
        visit.output_bytes += cost.output_bytes
        visit.flops += flops - call.inner_flops
        visit.unknown += unknown - call.inner_unknown


class _Rows:
    """Makes rows of what was noted; modules and parameters count once."""

    def __init__(self, visits: _Visits, batch_size: int) -> None:
        self.visits = visits
        self.batch_size = batch_size
        self.seen: set[nn.Module] = set()
        self.counted: set[nn.Parameter] = set()

    def below(self, name: str, module: nn.Module, *, depth: int) -> Iterator[Row]:
        """The rows of a module, which is called `name`: its own, or those of the modules in it."""
        if module in self.seen:
            return
        self.seen.add(module)
        visit, block = self.visits.found.get(module), name.rpartition(".")[0]
        if self.is_leaf(module):
            if visit is not None or next(module.parameters(), None) is not None:
                own = name or type(module).__name__
                yield self.row(own, module, visit, depth, block, list(module.parameters()))
            return
        inside = list(self.parts(name, module, visit, depth=depth + bool(name)))
        if name and inside:
            yield self.of_block(name, module, visit, inside, depth, block)
        yield from inside

    def is_leaf(self, module: nn.Module) -> bool:
        """Whether a module has no others in it, or calls none of them."""
        parts = list(module.modules())[1:]
        is_called = module in self.visits.found
        return not parts or (is_called and not any(part in self.visits.found for part in parts))

    def parts(
        self, name: str, module: nn.Module, visit: _Visit | None, *, depth: int
    ) -> Iterator[Row]:
        """The rows of the modules in one, and of what it computes or holds beside them."""
        prefix = f"{name}." if name else ""
        children = module.named_children()
        for child_name, child in sorted(children, key=lambda pair: self.visits.first_call(pair[1])):
            yield from self.below(prefix + child_name, child, depth=depth)
        own = [each for each in module.parameters(recurse=False) if each not in self.counted]
        if own or (visit and (visit.flops or visit.unknown)):
            row = self.row(prefix + REST, module, visit, depth, name, own)
            yield replace(row, activation_bytes=0, kernel=None)

    def row(
        self,
        name: str,
        module: nn.Module,
        visit: _Visit | None,
        depth: int,
        block: str,
        parameters: Sequence[nn.Parameter],
    ) -> Row:
        """A row with these parameters, as far as no earlier row has them."""
        fresh = list(dict.fromkeys(each for each in parameters if each not in self.counted))
        self.counted |= set(fresh)
        learning = [each for each in fresh if each.requires_grad]
        output_bytes = visit.output_bytes if visit else 0
        return Row(
            name=name,
            kind=type(module).__name__,
            output=visit.output if visit else (),
            parameters=sum(each.numel() for each in fresh),
            trainable=sum(each.numel() for each in learning),
            multiply_adds=(visit.flops // FLOPS or None) if visit else None,
            field=None,
            weight_bytes=sum(each.nbytes for each in fresh),
            activation_bytes=output_bytes * self.batch_size,
            depth=depth,
            block=block,
            input=visit.input if visit else (),
            kernel=kernel_of(module, visit.input) if visit else None,
            dtype=visit.dtype if visit else "",
            is_counted=not (visit and visit.unknown),
            trainable_bytes=sum(each.nbytes for each in learning),
        )

    def of_block(
        self,
        name: str,
        module: nn.Module,
        visit: _Visit | None,
        inside: Sequence[Row],
        depth: int,
        block: str,
    ) -> Row:
        """The row of a module with others in it: the sum of theirs."""
        own = [row for row in inside if not row.is_block]
        return Row(
            name=name,
            kind=type(module).__name__,
            output=visit.output if visit else (),
            parameters=sum(row.parameters for row in own),
            trainable=sum(row.trainable for row in own),
            multiply_adds=sum(row.multiply_adds or 0 for row in own) or None,
            field=None,
            weight_bytes=sum(row.weight_bytes for row in own),
            activation_bytes=sum(row.activation_bytes for row in own),
            depth=depth,
            block=block,
            is_block=True,
            input=visit.input if visit else (),
            is_counted=all(row.is_counted for row in own),
            trainable_bytes=sum(row.trainable_bytes for row in own),
        )


def _recorded(
    module: nn.Module, inputs: Sequence[Shape], dtype: torch.dtype, device: torch.device
) -> _Visits:
    """The calls of a copy: of one without data or, where that fails, of one with data.

    Raises:
        FaultError: that fails, too.
    """
    try:
        return _run(_prepared(_without_data(module)), inputs, dtype, torch.device("meta"))
    except Exception:  # whatever a foreign module raises where a tensor has no data
        pass
    try:
        return _run(_prepared(copy.deepcopy(module)), inputs, dtype, device)
    except Exception as error:
        shapes = ", ".join(f"(N, {', '.join(map(str, shape))})" for shape in inputs)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"{type(module).__name__} does not take inputs of {shapes}: {reason}"
        hint = "give the shape of a sample, without the batch; set dtype if it takes no float32"
        raise config_fault(message, hint=hint) from error


def _run(
    module: nn.Module, inputs: Sequence[Shape], dtype: torch.dtype, device: torch.device
) -> _Visits:
    visits = _Visits(module)
    visits.run([torch.zeros(SAMPLES, *shape, dtype=dtype, device=device) for shape in inputs])
    return visits


def _without_data(module: nn.Module) -> nn.Module:
    """A copy on the meta device, for which no memory is taken."""
    empty = dict[int, object]()
    for weight in module.parameters():
        data = weight.detach().to("meta")
        empty[id(weight)] = nn.Parameter(data, requires_grad=weight.requires_grad)
    for buffer in module.buffers():
        empty[id(buffer)] = buffer.detach().to("meta")
    return copy.deepcopy(module, empty)


def _prepared(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode, without the hooks of others, which may note what they see."""
    for part in module.modules():
        for hooks in (part._forward_hooks, part._forward_pre_hooks):
            for number in [n for n, hook in hooks.items() if not _is_torchs(hook)]:
                del hooks[number]
    return rehearsing(module).eval()


def _is_torchs(hook: object) -> bool:
    return (getattr(hook, "__module__", None) or type(hook).__module__).startswith("torch.")
