"""The class of the whole network, from its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword

from cnnctl.errors import config_fault
from cnnctl.export.source.blocks import define
from cnnctl.export.source.classes import Definition, assignment, signature, statements
from cnnctl.export.source.constructors import dictionary
from cnnctl.export.source.definitions import OwnModule, own_modules
from cnnctl.export.source.expressions import Name, attribute
from cnnctl.export.source.forward import Forward, is_repeat
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, children, nodes_of
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
    modules: Mapping[str, OwnModule]
    """The layers whose classes PyTorch lacks, by the names of these."""


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
    modules = own_modules(plan.leaves(), network)
    taken = {name, "DenseBlock", *modules}
    top: list[Node] = [*parts, *_head_ways(nodes_of(heads, network))]
    _refuse_inner_asides(top)
    asides = [part.name for part in parts if isinstance(part, Flow) and part.is_aside]
    everything, definitions = define([_opened(part) for part in top], taken)
    body, ways = list(everything[: len(parts)]), everything[len(parts) :]
    if classes and not ways:
        own = tuple(part for part in body if part.name not in asides)
        whole = Chain("", own, plan.input, plan.output)
        sized = {part.name: part for part in children(_sized(whole, classes))}
        body = [sized.get(part.name) or _sized(part, classes) for part in body]
    lines = _class(name, about, body, asides, ways, classes=classes)
    return NetworkClass(name, tuple(definitions), tuple(lines), modules)


def _head_ways(heads: Sequence[Node]) -> list[Node]:
    return [way.chain for head in heads if isinstance(head, Flow) for way in head.ways]


def _opened(part: Node) -> Node:
    """An auxiliary classifier as the chain of its layers."""
    if isinstance(part, Flow) and part.is_aside:
        return replace(part.ways[0].chain, name=part.name, is_sequence=True)
    return part


def _refuse_inner_asides(top: Sequence[Node]) -> None:
    waiting = [inner for part in top for inner in children(part)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Flow) and node.is_aside:
            reason = "an auxiliary classifier within another block"
            message = f".py cannot hold {node.planned.name}, {reason}"
            hint = "move it to the network's own list of layers"
            raise config_fault(message, hint=hint, path=node.planned.path)
        waiting += children(node)


def _sized(part: Node, classes: int) -> Node:
    """A part, with the width of its last layer as a parameter if there is one for each class."""
    if isinstance(part, Chain) and not is_repeat(part):
        for at in reversed(range(len(part.parts))):
            sized = _sized(part.parts[at], classes)
            if sized is not part.parts[at] or _sets_width(part.parts[at]):
                return replace(part, parts=(*part.parts[:at], sized, *part.parts[at + 1 :]))
    if not isinstance(part, Leaf):
        return part
    widths = [each for each in part.call.arguments if each.name in _WIDTHS]
    if not widths or widths[-1].value != classes:
        return part
    is_last = (each is widths[-1] for each in part.call.arguments)
    values = zip(is_last, part.call.values, strict=True)
    call = part.call.filled([Name("num_classes") if last else value for last, value in values])
    return replace(part, call=call, write=None)


def _sets_width(part: Node) -> bool:
    return not isinstance(part, Leaf) or any(a.name in _WIDTHS for a in part.call.arguments)


def _class(
    name: str,
    about: str,
    parts: Sequence[Node],
    asides: Sequence[str],
    heads: Sequence[Node],
    *,
    classes: int,
) -> list[str]:
    made = [line for part in parts for line in statements(part)]
    if heads:
        made += assignment(HEADS, dictionary([each for each in heads if isinstance(each, Chain)]))
    is_sized = any("num_classes" in line for line in made)
    writer = Forward(with_shapes=True)
    result = _body(parts, asides, writer)
    if heads or asides:
        lines = [*writer.lines, *_results(result, asides, has_heads=bool(heads))]
    else:
        lines = writer.returned(result)
    return [
        f"class {name}(nn.Module):",
        *([f'    """{about}"""', ""] if about else []),
        *signature([f"num_classes: int = {classes}"] if is_sized else []),
        *made,
        "",
        f"    def forward(self, x: Tensor) -> {_returned(asides, bool(heads))}:",
        *(f"        {line}" for line in lines),
    ]


def _body(parts: Sequence[Node], asides: Sequence[str], writer: Forward) -> str:
    run: list[Node] = []
    for part in parts:
        if part.name in asides:
            writer.end(run)
            run = []
            call = f"{attribute(part.name)}(x) if self.training else None"
            writer.lines.append(f"{_variable(part.name)} = {call}")
        else:
            run.append(part)
    return writer.chain(run, "x", "x")


def _variable(name: str) -> str:
    """A variable for the output of an auxiliary classifier of this name."""
    return f"{name}_" if iskeyword(name) or name in ("x", "self", "torch", "nn", "F") else name


def _returned(asides: Sequence[str], has_heads: bool) -> str:
    if has_heads:
        return "dict[str, Tensor]"
    return "Tensor | tuple[Tensor, ...]" if asides else "Tensor"


def _results(result: str, asides: Sequence[str], *, has_heads: bool) -> list[str]:
    first = [] if result == "x" else [f"x = {result}"]
    if not has_heads:
        outputs = ", ".join(("x", *map(_variable, asides)))
        return [*first, f"return ({outputs}) if self.training else x"]
    outputs = "{name: head(x) for name, head in self.heads.items()}"
    if not asides:
        return [*first, f"return {outputs}"]
    more = ", ".join(f'"{name}": {_variable(name)}' for name in asides)
    return [
        *first,
        f"outputs = {outputs}",
        f"return outputs | {{{more}}} if self.training else outputs",
    ]
