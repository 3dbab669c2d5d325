"""Names for what a profiler records: the parts of a step, and the layers in both passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.profiler import record_function
from torch.utils.hooks import RemovableHandle

BACKWARD = " backward"
"""Follows the name of a layer in the backward pass."""
Range = AbstractContextManager[object]
MOST_NODES = 100
"""Operations of a layer that are named in the backward pass."""


class Ranges:
    """Ranges of time that torch's profiler shows with their names, each within another or apart."""

    def __init__(self) -> None:
        self._name = ""
        self._part: Range = nullcontext()
        self._handles = list[RemovableHandle]()

    def part(self, name: str) -> None:
        """A part of the step begins, and the one before it ends; without a name, none begins."""
        if self._name:
            self._part.__exit__(None, None, None)
        self._name = name
        if name:
            self._part = _range(name)
            self._part.__enter__()

    def name_layers(self, network: nn.Module) -> None:
        """Name the layers of a network from now on: all modules that have no others in them."""
        for name, module in network.named_modules():
            if name and not any(module.children()):
                self._handles += _named(name, module)

    def close(self) -> None:
        """End the part, and name no more layers."""
        self.part("")
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


def _range(name: str) -> Range:
    return record_function(name)


def _named(name: str, module: nn.Module) -> tuple[RemovableHandle, RemovableHandle]:
    waiting = list[tuple[Range, set[Node | None]]]()

    def begin(module: nn.Module, inputs: tuple[Any, ...], more: Mapping[str, Any]) -> None:
        given = [each for each in (*inputs, *more.values()) if isinstance(each, Tensor)]
        waiting.append((_range(name), {each.grad_fn for each in given}))
        waiting[-1][0].__enter__()

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        forward, sources = waiting.pop()
        forward.__exit__(None, None, None)
        if isinstance(output, Tensor):
            for node in _between(sources, output):
                _name_backward(node, name + BACKWARD)

    return (
        module.register_forward_pre_hook(begin, with_kwargs=True),
        module.register_forward_hook(end),
    )


def _between(sources: set[Node | None], output: Tensor) -> Iterator[Node]:
    """The operations of a backward pass from an output to those that made the inputs.

    A full backward hook of the module would forbid layers that change their input in place.
    """
    seen, waiting = {*sources, None}, [output.grad_fn]
    while waiting and len(seen) <= MOST_NODES:
        node = waiting.pop()
        if node is None or node in seen or hasattr(node, "variable"):  # a weight's gradient
            continue
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
        yield node


def _name_backward(node: Node, name: str) -> None:
    """Name what an operation of the backward pass does."""
    running = _range(name)

    def begin(gradients: Any) -> None:
        running.__enter__()

    def end(*gradients: Any) -> None:
        running.__exit__(None, None, None)

    node.register_prehook(begin)
    node.register_hook(end)
