"""The class of the whole network, from its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from cnnctl.errors import config_fault
from cnnctl.export.source.classes import Definition, assignment, define, signature, statements
from cnnctl.export.source.constructors import chain_document, dictionary
from cnnctl.export.source.expressions import Name
from cnnctl.export.source.forward import Forward
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, Way, nodes_of
from cnnctl.model.heads import HEADS
from cnnctl.model.network import NetworkPlan, meta_network

_WIDTHS = ("out_features", "out_channels", "num_classes", "channels", "features")


@dataclass(frozen=True, slots=True)
class NetworkClass:
    """A network as classes."""

    name: str
    definitions: tuple[Definition, ...]
    """The classes of its blocks."""
    lines: tuple[str, ...]
    """The source of its own class."""
    modules: Mapping[str, type[nn.Module]]
    """The classes of its layers, by their names."""


def network_class(plan: NetworkPlan, *, name: str, about: str, classes: int = 0) -> NetworkClass:
    """Write a network as a class, with classes for its blocks.

    Args:
        about: the docstring.
        classes: if the last layer has an output for each class, their number.

    Raises:
        FaultError: it contains a layer that has no source.
    """
    network = meta_network(plan)
    trunk = [planned for planned in plan.layers if planned.name != HEADS]
    heads = [planned for planned in plan.layers if planned.name == HEADS]
    parts = nodes_of(trunk, network)
    taken = {name, "DenseBlock"}
    top: list[Node] = [*parts, *_head_ways(nodes_of(heads, network))]
    _refuse_inner_asides(top)
    everything, definitions = define([_opened(part) for part in top], taken)
    body, ways = list(everything[: len(parts)]), everything[len(parts) :]
    closed = [_closed(part, flow) for part, flow in zip(body, parts, strict=True)]
    if classes and not ways:
        closed = _with_classes(closed, classes)
    modules = {
        type(module).__name__: type(module)
        for module in (network.get_submodule(leaf.name) for leaf in plan.leaves())
    }
    lines = _class(name, about, closed, ways, classes=classes)
    return NetworkClass(name, tuple(definitions), tuple(lines), modules)


def _head_ways(heads: Sequence[Node]) -> list[Node]:
    return [way.chain for head in heads if isinstance(head, Flow) for way in head.ways]


def _opened(part: Node) -> Node:
    """An auxiliary classifier as the chain of its layers."""
    if isinstance(part, Flow) and part.is_aside:
        return replace(part.ways[0].chain, name=part.name)
    return part


def _closed(part: Node, original: Node) -> Node:
    if isinstance(original, Flow) and original.is_aside and isinstance(part, Chain):
        return replace(original, ways=(replace(original.ways[0], parts=part.parts),))
    return part


def _refuse_inner_asides(top: Sequence[Node]) -> None:
    from cnnctl.export.source.nodes import children

    waiting = [inner for part in top for inner in children(part)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Flow) and node.is_aside:
            message = f"{node.planned.name} is an auxiliary classifier within another block"
            hint = "move it to the network's own list of layers"
            raise config_fault(message, hint=hint, path=node.planned.path)
        waiting += children(node)


def _with_classes(parts: list[Node], classes: int) -> list[Node]:
    """The parts, with the width of the last layer as a parameter."""
    for at in reversed(range(len(parts))):
        part = parts[at]
        if not isinstance(part, Leaf):
            return parts
        widths = [a for a in part.call.arguments if a.name in _WIDTHS and a.value == classes]
        if widths:
            values = [
                Name("num_classes") if argument is widths[-1] else argument.value
                for argument in part.call.arguments
            ]
            parts[at] = replace(part, call=part.call.filled(values), write=None)
            return parts
        if not part.write and part.layer.role in ("convolution", "linear", ""):
            return parts
    return parts


def _class(
    name: str, about: str, parts: Sequence[Node], heads: Sequence[Node], *, classes: int
) -> list[str]:
    made = [line for part in parts for line in _made(part)]
    if heads:
        ways = [Way(each.name, each.parts, ()) for each in heads if isinstance(each, Chain)]
        made += assignment(HEADS, dictionary(ways))
    is_sized = any("num_classes" in line for line in made)
    asides = [part.name for part in parts if isinstance(part, Flow) and part.is_aside]
    writer = Forward(with_shapes=True)
    result = _body(parts, writer)
    writer.lines += _results(result, asides, has_heads=bool(heads))
    return [
        f"class {name}(nn.Module):",
        f'    """{about}"""',
        "",
        *signature(f", num_classes: int = {classes}" if is_sized else ""),
        *made,
        "",
        f"    def forward(self, x: Tensor) -> {_returned(asides, bool(heads))}:",
        *(f"        {line}" for line in writer.lines),
    ]


def _made(part: Node) -> list[str]:
    if isinstance(part, Flow) and part.is_aside:
        return assignment(part.name, chain_document(part.ways[0].parts))
    return list(statements(part))


def _body(parts: Sequence[Node], writer: Forward) -> str:
    run: list[Node] = []
    for part in parts:
        if isinstance(part, Flow) and part.is_aside:
            writer.end(run)
            run = []
            writer.lines.append(f"{part.name} = self.{part.name}(x) if self.training else None")
        else:
            run.append(part)
    return writer.chain(run, "x", "x")


def _returned(asides: Sequence[str], has_heads: bool) -> str:
    if has_heads:
        return "dict[str, Tensor]"
    return "Tensor | tuple[Tensor, ...]" if asides else "Tensor"


def _results(result: str, asides: Sequence[str], *, has_heads: bool) -> list[str]:
    if not has_heads and not asides:
        return [f"return {result}"]
    first = [] if result == "x" else [f"x = {result}"]
    if not has_heads:
        return [*first, f"return (x, {', '.join(asides)}) if self.training else x"]
    outputs = "{name: head(x) for name, head in self.heads.items()}"
    if not asides:
        return [*first, f"return {outputs}"]
    more = ", ".join(f'"{name}": {name}' for name in asides)
    return [
        *first,
        f"outputs = {outputs}",
        f"return outputs | {{{more}}} if self.training else outputs",
    ]
