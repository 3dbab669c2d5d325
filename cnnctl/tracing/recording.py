"""Hooks that record a forward and a backward pass, without changing either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook

from cnnctl.model.layer import Layer
from cnnctl.model.network import NetworkPlan
from cnnctl.model.passes import is_repeated
from cnnctl.tracing.layers import Described, Detail, described, details


@dataclass(slots=True)
class Call:
    """A module that was called, for one sample."""

    name: str
    """Of the layer, or of the module inside of a foreign layer; a second call has a number."""
    module: nn.Module
    about: Described
    input: Tensor
    output: Tensor
    details: list[Detail]
    gradient: Tensor | None = None
    """Of the loss, at its output; None before the backward pass, or if there is none."""


Viewer = Callable[[str, nn.Module, Tensor, Tensor], None]
"""Called with the name, the module, its input and its output, while their graph is there."""


@dataclass(slots=True)
class Recorder:
    """What was recorded so far."""

    plan: NetworkPlan
    view: Viewer
    is_on: bool = True
    is_looking: bool = False
    """Whether derivatives are being taken for details, not for the backward pass."""
    calls: dict[str, list[Call]] = field(default_factory=dict)
    """Of each leaf layer; several of a foreign one."""
    joins: dict[int, Call] = field(default_factory=dict)
    """The joined tensors, by the number of their node in the graph."""

    @contextmanager
    def recording(self, network: nn.Module) -> Iterator[None]:
        """Record what passes through a network."""
        handles = []
        for owner, name, layer, module in parts(network, self.plan):
            hook = partial(self._note, owner, name, layer)
            handles.append(module.register_forward_hook(hook))
        for number, name, is_before in self._join_places():
            hook = partial(self._note_join, number, is_before)
            handles.append(network.get_submodule(name).register_forward_hook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _join_places(self) -> Iterator[tuple[int, str, bool]]:
        """Each join with a module that takes it, or the block that outputs it."""
        graph = self.plan.graph
        for name, number in graph.ends.items():
            if number and graph.nodes[number].planned is None:
                yield number, name, False
        for node in graph.nodes:
            if node.planned and node.sources[0] and not graph.nodes[node.sources[0]].planned:
                yield node.sources[0], node.planned.name, True

    def _note(
        self,
        owner: str,
        name: str,
        layer: Layer | None,
        module: nn.Module,
        given: Any,
        output: Any,
    ) -> None:
        if not self.is_on or is_repeated() or not given or not isinstance(output, Tensor):
            return
        calls = self.calls.setdefault(owner, [])
        again = sum(call.module is module for call in calls)
        name = f"{name} ({again + 1})" if again else name
        with self._looking():
            found = details(module, given[0], output)
            self.view(name, module, given[0], output)
        calls.append(self._call(name, module, described(module, layer), given[0], output, found))

    def _note_join(
        self, number: int, is_before: bool, module: nn.Module, given: Any, output: Tensor
    ) -> None:
        if self.is_on and number not in self.joins:
            joined = given[0] if is_before else output
            about = Described("x", "", Layer.letters)
            self.joins[number] = self._call("", module, about, joined, joined, [])

    @contextmanager
    def _looking(self) -> Iterator[None]:
        self.is_looking = True
        try:
            yield
        finally:
            self.is_looking = False

    def _call(
        self,
        name: str,
        module: nn.Module,
        about: Described,
        input: Tensor,
        output: Tensor,
        found: list[Detail],
    ) -> Call:
        kept = input.detach()[0].clone(), output.detach()[0].clone()
        call = Call(name, module, about, *kept, found)
        if output.requires_grad:
            register_multi_grad_hook([output], partial(self._keep, call), mode="any")
        return call

    def _keep(self, call: Call, gradient: Tensor) -> None:
        """Keep a gradient; the first one, since lbfgs goes back several times."""
        if call.gradient is None and not self.is_looking:
            call.gradient = gradient.detach()[0].clone()


def parts(
    network: nn.Module, plan: NetworkPlan
) -> Iterator[tuple[str, str, Layer | None, nn.Module]]:
    """The leaf layers of a network, or the modules without children inside of a foreign one.

    Each with the name of its layer, its own name, and its layer unless that is foreign.
    """
    for planned in plan.leaves():
        module = network.get_submodule(planned.name)
        if not _has_parts(module):
            yield planned.name, planned.name, planned.layer, module
            continue
        for name, part in module.named_modules():
            if not _has_parts(part):
                yield planned.name, f"{planned.name}.{name}", None, part


def _has_parts(module: nn.Module) -> bool:
    return any(True for _ in module.children())
