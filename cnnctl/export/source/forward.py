"""The statements of `forward`: layers are applied to `x`, a few on each line."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cnnctl.export.source.expressions import WIDTH, attribute, written
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, Way, ends_of
from cnnctl.model.layer import Shape

_MARGIN = 8


@dataclass(slots=True)
class Forward:
    """Writes statements."""

    with_shapes: bool = False
    """Whether lines tell shapes, in comments."""
    lines: list[str] = field(default_factory=list)
    told: Shape | None = None

    def chain(self, parts: Sequence[Node], source: str, variable: str) -> str:
        """Write a chain; its last expression is returned instead."""
        line = _Line(source, source)
        for part in parts:
            if line.must_end_before(part):
                self._end(line, variable)
                line = _Line(variable, variable)
            following = line.text_with(part)
            if not line.is_plain and len(following) + _MARGIN + len(variable) + 3 > WIDTH:
                self._end(line, variable)
                line = _Line(variable, variable)
                following = line.text_with(part)
            line.add(part, following)
        self.told = line.shape or self.told if self.with_shapes else None
        return line.text

    def end(self, parts: Sequence[Node]) -> None:
        """Write a chain from `x` to `x`."""
        text = self.chain(parts, "x", "x")
        if text != "x":
            self.lines.append(f"x = {text}")

    def _end(self, line: _Line, variable: str) -> None:
        comment = ""
        if self.with_shapes and line.shape and line.shape != self.told:
            self.told = line.shape
            comment = f"  # {'x'.join(map(str, line.shape))}"
        statement = f"{variable} = {line.text}"
        if len(statement) + len(comment) + _MARGIN > WIDTH:
            comment = ""
        self.lines.append(statement + comment)


@dataclass(slots=True)
class _Line:
    """The expression of a line as it grows."""

    text: str
    start: str
    shape: Shape | None = None
    starts_light: bool = False
    has_heavy: bool = False
    is_sum: bool = False

    @property
    def is_plain(self) -> bool:
        return self.text == self.start

    def must_end_before(self, part: Node) -> bool:
        if self.is_plain:
            return False
        if is_repeat(part) and self.shape == shape_after(part):
            return False
        if is_heavy(part):
            return self.has_heavy or self.is_sum
        return self.has_heavy and self.starts_light

    def text_with(self, part: Node) -> str:
        return applied(part, self.text, is_sum=self.is_sum)

    def add(self, part: Node, text: str) -> None:
        if is_heavy(part):
            self.has_heavy = True
        elif not self.has_heavy and text != self.text:
            self.starts_light = True
        self.is_sum = isinstance(part, Flow) and part.joining != "concatenate"
        self.text = text
        self.shape = shape_after(part) or self.shape


def shape_after(node: Node) -> Shape | None:
    """The output shape of a node; None for an empty chain."""
    is_empty = isinstance(node, Chain) and not node.parts
    return None if is_empty else ends_of(node)[1]


def is_repeat(node: Node) -> bool:
    """Whether a node only repeats, and so may continue a line."""
    return isinstance(node, Chain) and bool(node.parts) and node.parts[0].name == "1"


def is_heavy(node: Node) -> bool:
    """Whether a node has at most one other on its line that is not."""
    if not isinstance(node, Leaf):
        return True
    return node.layer.role not in ("normalization", "activations", "dropout")


def applied(node: Node, text: str, *, is_sum: bool = False) -> str:
    """A node applied to the text of its input."""
    if isinstance(node, Leaf) and node.is_lifted:
        return f"self.{written(node.call.values[0])}({text})"
    if isinstance(node, Leaf) and node.write:
        return node.write(f"({text})" if is_sum and not _is_call(node, text) else text)
    if isinstance(node, Flow) and not node.is_dense:
        return in_place(node, text)
    return f"{attribute(node.name)}({text})"


def _is_call(node: Leaf, text: str) -> bool:
    """Whether the text of the input is in brackets when the node is applied to it."""
    assert node.write is not None
    return node.write("input").startswith(("F.", "torch."))


def joined(texts: Sequence[str], joining: str) -> str:
    """Several tensors as one."""
    if len(texts) == 1:
        return texts[0]
    if joining == "concatenate":
        return f"torch.cat([{', '.join(texts)}], dim=1)"
    texts = sorted(texts, key=lambda text: not text.isidentifier())  # x + self.layer(x)
    if joining == "multiply":
        return " * ".join(texts)
    total = " + ".join(texts)
    return f"({total}) / {len(texts)}" if joining == "mean" else total


def lone_way(flow: Flow) -> int | None:
    """The only way with modules of a flow that the class around it can write in one expression."""
    full = [n for n, way in enumerate(flow.ways) if needs_module(way)]
    is_simple = len(full) == 1 and flow.ways[full[0]].takes == (0,)
    return full[0] if is_simple else None


def is_parallel(flow: Flow) -> bool:
    """Whether all ways are named, take the input, and are joined."""
    everything = tuple(range(1, len(flow.ways) + 1))
    return flow.gives == everything and all(w.name and w.takes == (0,) for w in flow.ways)


def needs_module(way: Way) -> bool:
    """Whether a way has to be made in `__init__`."""
    return any(not (isinstance(part, Leaf) and part.write) for part in way.parts)


def in_place(flow: Flow, text: str) -> str:
    """A flow as an expression within the class around it."""
    lone = lone_way(flow)
    if lone is None:
        module = attribute(flow.name)
        branches = f"[branch({text}) for branch in {module}.values()]"
        if flow.joining == "concatenate":
            return f"torch.cat({branches}, dim=1)"
        return joined([f'{module}["{way.name}"]({text})' for way in flow.ways], flow.joining)
    values = {0: text}
    for number, way in enumerate(flow.ways, start=1):
        start = joined([values[n] for n in way.takes], flow.joining)
        if number - 1 == lone:
            key = f'["{way.name}"]' if way.name else ""
            values[number] = f"{attribute(flow.name)}{key}({start})"
        else:
            values[number] = written_out(way, start)
    return joined([values[n] for n in flow.gives], flow.joining)


def written_out(way: Way, text: str) -> str:
    """A way without modules, applied."""
    for part in way.parts:
        text = applied(part, text)
    return text


def flow_forward(flow: Flow, writer: Forward, *, optional: Collection[str] = ()) -> str:
    """Write the `forward` of a class that is a flow; its last expression is returned.

    Args:
        optional: the ways that only some of its objects have.
    """
    values = {0: "x"}
    for number, way in enumerate(flow.ways, start=1):
        start = joined([values[n] for n in way.takes], flow.joining)
        values[number] = _way(way, start, writer, is_module=way.name in optional)
    return joined([values[n] for n in flow.gives], flow.joining)


def _way(way: Way, start: str, writer: Forward, *, is_module: bool) -> str:
    if not way.parts:
        return start
    if not way.name:
        text = writer.chain(way.parts, start, "out")
        if text == "out" or not writer.lines:
            return text
        writer.lines.append(f"out = {text}")
        return "out"
    if is_module or needs_module(way):
        return f"{attribute(way.name)}({start})"
    return written_out(way, start)


def chain_forward(chain: Chain, writer: Forward) -> str:
    """Write the `forward` of a class that is a chain; its last expression is returned."""
    return writer.chain(chain.parts, "x", "x")
