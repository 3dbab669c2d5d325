"""Activation checkpointing: segments of a network that save their input only, and run again.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost": of n layers, √n stretches of √n
layers save the tensors between them and, one after the other in the backward pass, those within.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from itertools import groupby
from math import ceil, sqrt
from typing import Any

from torch import Tensor, is_grad_enabled, nn
from torch.utils.checkpoint import checkpoint

from cnnctl.errors import Fault, closest, did_you_mean
from cnnctl.model.modules import WithAuxiliary
from cnnctl.model.passes import repeated

Choice = bool | list[str]
"""Whether to choose segments by a rule; or names and patterns of modules, each of which is one."""
HALF = 0.5
"""A block with more than this share of all modules is looked into."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Modules that save their input only: a module, or several in a row of a chain."""

    chain: str
    """Name of the module that contains them; empty for the network."""
    children: tuple[str, ...]
    """Their names in it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names in the network."""
        return tuple(".".join(filter(None, (self.chain, child))) for child in self.children)


def segments_of(network: nn.Module, choice: Choice) -> list[Segment]:
    """The segments of a network, which may be on the meta device.

    By the rule, each block is one, unless it contains most of the network: then its blocks are.
    Layers in a row between them are cut into stretches. The last layers are not among them, since
    the backward pass needs at once what they save.
    """
    if isinstance(choice, bool):
        found = list(_by_rule(network, "", total=_count(network))) if choice else []
        last = [name for name, _ in network.named_children()][-1:]
        return [segment for segment in found if segment.names[-1:] != tuple(last)]
    names = dict.fromkeys(name for pattern in choice for name in _matching(pattern, network))
    outermost = [n for n in names if not any(n.startswith(f"{other}.") for other in names)]
    split = [name.rpartition(".") for name in outermost]
    return [Segment(chain, (child,)) for chain, _, child in split]


def _by_rule(module: nn.Module, name: str, *, total: int) -> Iterator[Segment]:
    children = dict(module.named_children())
    is_plain = {child: not any(True for _ in part.children()) for child, part in children.items()}
    for are_plain, row in groupby(children, key=is_plain.__getitem__):
        if are_plain:
            if isinstance(module, nn.Sequential):
                yield from _stretches(name, list(row), children)
            continue
        for child in row:
            if _count(children[child]) > HALF * total:
                yield from _by_rule(children[child], f"{name}.{child}".lstrip("."), total=total)
            else:
                yield Segment(name, (child,))


def _stretches(chain: str, row: Sequence[str], parts: dict[str, nn.Module]) -> Iterator[Segment]:
    """Parts of a row of layers of about its square root; none starts with an in-place layer."""
    length = ceil(sqrt(len(row)))
    stretch: list[str] = []
    for child in row:
        if len(stretch) >= length and not getattr(parts[child], "inplace", False):
            yield Segment(chain, tuple(stretch))
            stretch = []
        stretch.append(child)
    if len(stretch) > 1:
        yield Segment(chain, tuple(stretch))


def _count(module: nn.Module) -> int:
    """The number of modules in it that contain no others."""
    return sum(not any(True for _ in part.children()) for part in module.modules())


def _matching(pattern: str, network: nn.Module) -> list[str]:
    fits = re.compile(translate(pattern)).match
    return [name for name, _ in network.named_modules() if name and fits(name)]


def check_recomputation(choice: Choice, network: nn.Module) -> list[Fault]:
    """Faults for the patterns that match no module; paths are those of the option."""
    if isinstance(choice, bool):
        return []
    names = [name for name, _ in network.named_modules() if name]
    return [
        Fault(
            message=f"no layer or block is named {pattern}",
            hint=did_you_mean(closest(pattern, names)) or "`cnnctl summary` shows the names",
            path=(index,),
        )
        for index, pattern in enumerate(choice)
        if not _matching(pattern, network)
    ]


def recompute_(network: nn.Module, choice: Choice) -> None:
    """Let the segments of a network save their input only where gradients are computed."""
    segments = segments_of(network, choice)
    for name in dict.fromkeys(segment.chain for segment in segments):
        own = [segment for segment in segments if segment.chain == name]
        chain = network.get_submodule(name)
        if any(len(segment.children) > 1 for segment in own):
            _recompute_chain(chain, own)
        else:
            for segment in own:
                part = chain.get_submodule(segment.children[0])
                part.forward = Recomputed(part.forward, [part])


def _recompute_chain(chain: nn.Module, segments: Sequence[Segment]) -> None:
    """Run a chain in parts, some of which are segments."""
    starts = {segment.children[0]: segment for segment in segments}
    taken = {child for segment in segments for child in segment.children}
    parts: list[Callable[[Tensor], Tensor]] = []
    for name, child in chain.named_children():
        if name in starts:
            modules = [chain.get_submodule(each) for each in starts[name].children]
            parts.append(Recomputed(InTurn(modules), modules))
        elif name not in taken:
            parts.append(child)
    run = InTurn(parts)
    chain.forward = After(run, chain.with_auxiliary) if isinstance(chain, WithAuxiliary) else run


@dataclass(frozen=True, slots=True)
class InTurn:
    """Callables that each take the output of the one before."""

    parts: Sequence[Callable[[Tensor], Tensor]]

    def __call__(self, input: Tensor) -> Tensor:
        """Call them in turn."""
        output = input
        for part in self.parts:
            output = part(output)
        return output


@dataclass(frozen=True, slots=True)
class After:
    """A callable, and another that takes its output."""

    first: Callable[[Tensor], Tensor]
    second: Callable[[Tensor], Tensor]

    def __call__(self, input: Tensor) -> Tensor:
        """Call both."""
        return self.second(self.first(input))


@dataclass(slots=True)
class Recomputed:
    """A forward pass that saves its inputs only, and runs again in the backward pass.

    The gradients have the same bits: the random state is restored, and so is what modules keep in
    buffers, such as the statistics of a batch norm, which are updated once.
    """

    forward: Callable[..., Any]
    modules: Sequence[nn.Module]
    changes_input: bool | None = None
    """Whether its first layer works in place; None before the first pass has shown that."""

    def __call__(self, *inputs: Any) -> Any:
        """Run forward; without gradients, as ever."""
        if not is_grad_enabled():
            return self.forward(*inputs)
        return checkpoint(_Pass(self), *inputs, use_reentrant=False)


@dataclass(slots=True)
class _Pass:
    """One forward pass of a segment, and its repetition."""

    owner: Recomputed
    before: dict[tuple[nn.Module, str], Tensor] | None = None
    """The buffers as the first pass found them."""

    def __call__(self, *inputs: Any) -> Any:
        return self.first(*inputs) if self.before is None else self.again(*inputs)

    def first(self, *inputs: Any) -> Any:
        """Run, and keep the buffers as they were; kernels change them without a new version."""
        self.before = {key: buffer.clone() for key, buffer in _buffers(self.owner.modules)}
        taken = self.protected(inputs)
        versions = _versions(taken)
        output = self.owner.forward(*taken)
        if self.owner.changes_input is None:
            self.owner.changes_input = versions != _versions(taken)
        return output

    def again(self, *inputs: Any) -> Any:
        """Run with the buffers as they were."""
        assert self.before is not None
        now = {(module, name): module._buffers[name] for module, name in self.before}
        try:
            for (module, name), buffer in self.before.items():
                module._buffers[name] = buffer
            with repeated():
                return self.owner.forward(*self.protected(inputs))
        finally:  # also where it ends early, since nothing more is needed
            for (module, name), current in now.items():
                module._buffers[name] = current

    def protected(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs, as copies if a layer changes them, since they are needed again."""
        is_safe = self.owner.changes_input is False
        return [
            each.clone() if isinstance(each, Tensor) and not is_safe else each for each in inputs
        ]


def _buffers(modules: Sequence[nn.Module]) -> Iterator[tuple[tuple[nn.Module, str], Tensor]]:
    for part in dict.fromkeys(part for module in modules for part in module.modules()):
        for name, buffer in part._buffers.items():
            if buffer is not None:
                yield (part, name), buffer


def _versions(inputs: Sequence[Any]) -> list[int]:
    return [each._version for each in inputs if isinstance(each, Tensor)]
