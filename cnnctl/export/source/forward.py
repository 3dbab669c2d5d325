"""The statements of `forward`: layers are applied to `x`, a few on each line."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cnnctl.export.source.expressions import WIDTH, attribute, written
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, Way, ends_of
from cnnctl.model.layer import Shape
from cnnctl.model.modules import Join

_MARGIN = 8
"""Characters that a statement of a method is indented by."""
_LONGEST_TERM = 40
"""Characters of a residual block's layers that are written within its sum."""


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
            if not line.is_plain and len(following) + _MARGIN + len("return ") > WIDTH:
                self._end(line, variable)
                line = _Line(variable, variable)
                following = line.text_with(part)
            line.add(part, following)
        self.told = line.shape or self.told if self.with_shapes else None
        return line.text

    def variable(self, name: str, text: str) -> str:
        """Give an expression a variable, unless it is one."""
        if text.isidentifier():
            return text
        self.lines.append(f"{name} = {text}")
        return name

    def returned(self, result: str) -> list[str]:
        """The statements, and the return of this expression."""
        if self.lines and self.lines[-1].startswith(f"{result} = "):
            result = self.lines.pop().partition(" = ")[2].partition("  #")[0]
        return [*self.lines, f"return {result}"]

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

    @property
    def is_plain(self) -> bool:
        return self.text == self.start

    def must_end_before(self, part: Node) -> bool:
        if self.is_plain:
            return not self.text.isidentifier() and _is_in_place(part)
        if _is_in_place(part):  # it takes its input more than once
            return True
        if is_repeat(part) and self.shape == ends_of(part)[1]:
            return False
        if is_heavy(part):
            return self.has_heavy or is_compound(self.text)
        return self.has_heavy and self.starts_light

    def text_with(self, part: Node) -> str:
        return applied(part, self.text)

    def add(self, part: Node, text: str) -> None:
        if is_heavy(part):
            self.has_heavy = True
        elif not self.has_heavy and text != self.text:
            self.starts_light = True
        self.text = text
        self.shape = ends_of(part)[1]


def _is_in_place(node: Node) -> bool:
    """Whether a node is written as an expression of several modules."""
    return isinstance(node, Flow) and not node.is_dense


def is_repeat(node: Node) -> bool:
    """Whether a node only repeats, and so may continue a line."""
    return isinstance(node, Chain) and bool(node.parts) and node.parts[0].name == "1"


def is_heavy(node: Node) -> bool:
    """Whether a node has at most one other on its line that is not."""
    if not isinstance(node, Leaf):
        return True
    return node.layer.role not in ("normalization", "activations", "dropout")


def is_compound(text: str) -> bool:
    """Whether an expression is a sum or a product."""
    return isinstance(ast.parse(text, mode="eval").body, ast.BinOp)


def applied(node: Node, text: str) -> str:
    """A node applied to the text of its input."""
    if isinstance(node, Leaf) and node.is_lifted:
        return f"self.{written(node.call.values[0])}({text})"
    if isinstance(node, Leaf) and node.write:
        return node.write(f"({text})" if is_compound(text) and not _is_call(node) else text)
    if isinstance(node, Flow) and not node.is_dense:
        return in_place(node, text)
    return f"{attribute(node.name)}({text})"


def _is_call(node: Leaf) -> bool:
    """Whether the text of the input is in brackets when the node is applied to it."""
    assert node.write is not None
    return node.write("input").startswith(("F.", "torch."))


def joined(texts: Sequence[str], joining: Join) -> str:
    """Several tensors as one."""
    if len(texts) == 1:
        return texts[0]
    if joining == "concatenate":
        return f"torch.cat([{', '.join(texts)}], dim=1)"
    if len(texts) == 2:  # x + self.layer(x); the order of more matters to the last bit
        texts = sorted(texts, key=lambda text: not text.isidentifier())
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
    """Whether all ways are named, take the input, and are concatenated."""
    everything = tuple(range(1, len(flow.ways) + 1))
    is_joined = flow.joining == "concatenate" and flow.gives == everything
    return is_joined and all(w.name and w.takes == (0,) for w in flow.ways)


def needs_module(way: Way) -> bool:
    """Whether a way has to be made in `__init__`."""
    return any(not (isinstance(part, Leaf) and part.write) for part in way.parts)


def in_place(flow: Flow, text: str) -> str:
    """A flow as an expression within the class around it."""
    lone = lone_way(flow)
    if lone is None:
        branches = f"[branch({text}) for branch in {attribute(flow.name)}.values()]"
        return f"torch.cat({branches}, dim=1)"
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
    uses = Counter([*(n for way in flow.ways for n in way.takes), *flow.gives])
    for number, way in enumerate(flow.ways, start=1):
        start = _result([values[n] for n in way.takes], flow.joining, writer)
        text = _way(way, start, writer, is_module=way.name in optional)
        values[number] = writer.variable(f"out{number}", text) if uses[number] > 1 else text
    return _result([values[n] for n in flow.gives], flow.joining, writer)


def _result(texts: Sequence[str], joining: Join, writer: Forward) -> str:
    """Several tensors as one, each in a variable if they do not fit on a line together."""
    whole = joined(texts, joining)
    if len(f"return self.activation({whole})") + _MARGIN <= WIDTH or len(texts) == 1:
        return whole
    named = [writer.variable(f"out{n}", text) for n, text in enumerate(texts, start=1)]
    return joined(named, joining)


def _way(way: Way, start: str, writer: Forward, *, is_module: bool) -> str:
    if not way.parts:
        return start
    if not way.name:
        text = writer.chain(way.parts, start, "out")
        is_short = not writer.lines and len(text) <= _LONGEST_TERM
        return text if is_short else writer.variable("out", text)
    if is_module or needs_module(way):
        return f"{attribute(way.name)}({start})"
    return written_out(way, start)


def chain_forward(chain: Chain, writer: Forward) -> str:
    """Write the `forward` of a class that is a chain; its last expression is returned."""
    return writer.chain(chain.parts, "x", "x")
