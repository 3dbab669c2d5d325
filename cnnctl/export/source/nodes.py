"""The planned layers of a network as nodes to write: modules, chains of them, and data flows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from cnnctl.errors import config_fault
from cnnctl.export.source.expressions import Argument, Call, Name
from cnnctl.export.source.spelling import FUNCTIONS, call_of, call_to
from cnnctl.model.block import Block, PlannedLayer
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.modules import Join


@dataclass(frozen=True, slots=True)
class Leaf:
    """A module that a call makes: a layer, or a block with a class of its own."""

    name: str
    call: Call
    input: Shape
    output: Shape
    layer: Layer
    write: Callable[[str], str] | None = None
    """What `forward` can say in its place, from the text of its input; then it needs no module."""
    is_lifted: bool = False
    """Whether it is a function that the class around it takes as an argument."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Nodes in sequence; without any, it passes its input on."""

    name: str
    parts: tuple[Node, ...]
    input: Shape
    output: Shape
    is_sequence: bool = False
    """Whether the file has it as a layer, and not only as part of another."""


@dataclass(frozen=True, slots=True)
class Way:
    """A chain in a data flow."""

    name: str
    """Empty if its parts are the flow's own."""
    parts: tuple[Node, ...]
    takes: tuple[int, ...]
    """The values that are joined to its input: 0 is the flow's input, n the output of way n."""
    input: Shape
    output: Shape

    @property
    def chain(self) -> Chain:
        """Its parts as a chain."""
        return Chain(self.name, self.parts, self.input, self.output)


@dataclass(frozen=True, slots=True)
class Flow:
    """Chains whose outputs are joined."""

    name: str
    ways: tuple[Way, ...]
    gives: tuple[int, ...]
    """The values that are joined to its output, as in `Way.takes`."""
    joining: Join
    planned: PlannedLayer
    is_aside: bool = False
    """Whether it passes its input on, and its output is another of the network's."""

    @property
    def is_dense(self) -> bool:
        """Whether each way takes the input and all outputs before it, and all are kept."""
        before = [tuple(range(n)) for n in range(1, len(self.ways) + 2)]
        return [*(way.takes for way in self.ways), self.gives] == before

    @property
    def is_optional(self) -> tuple[bool, ...]:
        """Of each way, whether a flow without it can be of the same class: a shortcut."""
        has_body = any(not way.name for way in self.ways)
        return tuple(has_body and bool(way.name) and way.takes == (0,) for way in self.ways)


Node = Leaf | Chain | Flow


def nodes_of(layers: Sequence[PlannedLayer], network: nn.Module) -> tuple[Node, ...]:
    """The nodes of planned layers; `network` has their modules.

    Raises:
        FaultError: a module of a plugin does not say how it is made.
    """
    return tuple(_node(planned, network) for planned in layers)


def _node(planned: PlannedLayer, network: nn.Module) -> Node:
    if isinstance(planned.layer, Block):
        return _flow(planned, planned.layer, network)
    return _leaf(planned, network.get_submodule(planned.name))


def _leaf(planned: PlannedLayer, module: nn.Module) -> Leaf:
    made = planned.layer.constructor()
    try:
        call = call_to(*made) if made else call_of(module)
    except AttributeError as error:
        message = f".py cannot hold {planned.name} ({planned.layer.kind}): {error}"
        hint = "set an attribute for each argument of its __init__, with the same name"
        raise config_fault(message, hint=hint, path=planned.path) from None
    function = FUNCTIONS.get(type(module))
    write = partial(function, call=call, shape=planned.input) if function else None
    return Leaf(planned.short_name, call, planned.input, planned.output, planned.layer, write)


def _flow(planned: PlannedLayer, block: Block, network: nn.Module) -> Node:
    count = len(planned.branches)
    numbers = list(range(1, count + 1))
    ways = [
        Way(
            branch.name,
            nodes_of(branch.layers, network),
            tuple(block.taken(index, 0, numbers[:index])),
            branch.input,
            branch.output,
        )
        for index, branch in enumerate(planned.branches)
    ]
    gives = tuple(block.given(0, numbers))
    ways, gives = _merged(ways, gives)
    is_serial = gives == (len(ways),) and all(way.takes == (n,) for n, way in enumerate(ways))
    if is_serial and len(ways) == 1 and not ways[0].name:
        return replace(ways[0].chain, name=planned.short_name, is_sequence=True)
    if is_serial:
        chains = tuple(way.chain for way in ways)
        return Chain(planned.short_name, chains, planned.input, planned.output)
    return Flow(
        planned.short_name, tuple(ways), gives, block.joining, planned, is_aside=block.is_aside
    )


def _merged(ways: Sequence[Way], gives: tuple[int, ...]) -> tuple[list[Way], tuple[int, ...]]:
    """Ways in sequence that are named `a`, `a.b`, … become one, `a`, of which `b` is a part."""
    found: list[Way] = []
    numbers = {0: 0}
    for number, way in enumerate(ways, start=1):
        takes = tuple(numbers[each] for each in way.takes)
        first, _, rest = way.name.partition(".")
        parts = (replace(way.chain, name=rest),) if rest else way.parts
        if first and found and takes == (len(found),) and found[-1].name == first:
            together = (*found[-1].parts, *parts)
            found[-1] = replace(found[-1], parts=together, output=way.output)
        else:
            found.append(Way(first, parts, takes, way.input, way.output))
        numbers[number] = len(found)
    return found, tuple(dict.fromkeys(numbers[each] for each in gives))


def ends_of(node: Node) -> tuple[Shape, Shape]:
    """The input and the output shape of a node."""
    if isinstance(node, Flow):
        return node.planned.input, node.planned.output
    return node.input, node.output


def children(node: Node) -> tuple[Node, ...]:
    """The nodes in a node."""
    if isinstance(node, Chain):
        return node.parts
    return tuple(part for way in node.ways for part in way.parts) if isinstance(node, Flow) else ()


def arguments_in(node: Node) -> Iterator[tuple[str, Argument]]:
    """Every argument of the calls in a node, with the path of its module."""
    if isinstance(node, Leaf):
        yield from (("", argument) for argument in node.call.arguments)
    for name, part in _named(node):
        own = "" if isinstance(part, Flow) else part.name
        path = ".".join(filter(None, (name, own)))
        for inner, argument in arguments_in(part):
            yield ".".join(filter(None, (path, inner))), argument


def _named(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Chain):
        yield from (("", part) for part in node.parts)
    if isinstance(node, Flow):
        yield from ((way.name, part) for way in node.ways for part in way.parts)


def with_values(node: Node, values: Iterator[object]) -> Node:
    """The same node with other arguments, in the order of `arguments_in`."""
    if isinstance(node, Leaf):
        own = [next(values) for _ in node.call.arguments]
        is_fixed = own == node.call.values
        return replace(node, call=node.call.filled(own), write=node.write if is_fixed else None)
    if isinstance(node, Chain):
        return replace(node, parts=tuple(with_values(part, values) for part in node.parts))
    ways = tuple(
        replace(way, parts=tuple(with_values(part, values) for part in way.parts))
        for way in node.ways
    )
    return replace(node, ways=ways)


def key(node: Node) -> object:
    """What equal nodes have in common: all but their own name and their numbers."""
    if isinstance(node, Leaf):
        return node.call.function, tuple(each.name for each in node.call.arguments)
    if isinstance(node, Chain):
        return tuple((part.name, key(part)) for part in node.parts)
    ways = zip(node.ways, node.is_optional, strict=True)
    parts = ((way.name, way.takes, None if optional else key(way.chain)) for way, optional in ways)
    return tuple(parts), node.gives, node.joining, node.is_aside


def class_key(node: Node) -> str:
    """What nodes of the same class have in common: names but for numbers, and all but activations.

    A class takes the activations between its own parts as parameters.
    """
    opened: Node = node
    if isinstance(node, Chain):
        opened = replace(node, parts=_without_activations(node.parts))
    elif isinstance(node, Flow):
        ways = (
            way if way.name else replace(way, parts=_without_activations(way.parts))
            for way in node.ways
        )
        opened = replace(node, ways=tuple(ways))
    return repr((node.name.rstrip("0123456789"), key(opened)))


def _without_activations(parts: Sequence[Node]) -> tuple[Node, ...]:
    return tuple(lifted(part) if function_of(part) else part for part in parts)


def function_of(node: Node) -> str:
    """The function of an activation without options: `F.relu`; empty for other nodes."""
    is_activation = isinstance(node, Leaf) and node.layer.role == "activations"
    if not is_activation or not isinstance(node, Leaf) or not node.write:
        return ""
    found = re.fullmatch(r"([\w.]+)\(x\)", node.write("x"))
    return found[1] if found else ""


def lifted(node: Node) -> Node:
    """An activation as a function that is an argument of the class around it."""
    assert isinstance(node, Leaf)
    call = Call("", (Argument("activation", Name(function_of(node))),))
    return replace(node, name="activation", call=call, write=None, is_lifted=True)
