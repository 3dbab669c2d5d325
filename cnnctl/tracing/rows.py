"""The rows of the forward and the backward pass, in the order of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from cnnctl.experiment import Task
from cnnctl.model.graph import Graph, Node
from cnnctl.tracing.facts import Row
from cnnctl.tracing.recording import Call, Recorder

DELTA = "delta"
"""The gradient at a weighted sum, z."""
_SIGNS = {"add": " + ", "multiply": " ⊙ ", "concatenate": ", ", "mean": " + "}


def forward_rows(recorder: Recorder, input: Tensor, tasks: Sequence[Task]) -> list[Row]:
    """The input, then what each layer gave and measured, and what was joined."""
    rows = [Row("input", "x", "", input, role="input")]
    graph, ends = recorder.plan.graph, _ends(recorder.plan.graph, tasks)
    for number, node in enumerate(graph.nodes):
        calls = _calls_of(recorder, number, node)
        for call in calls:
            is_end = number in ends and call is calls[-1]
            rows += _with_details(call, node, graph, is_end=is_end)
    return rows


def _ends(graph: Graph, tasks: Sequence[Task]) -> set[int]:
    """The nodes whose outputs are called y: the last ones, unless they give logits."""
    return {graph.ends[task.layers[-1].name] for task in tasks if task.loss.outputs != "logits"}


def _calls_of(recorder: Recorder, number: int, node: Node) -> list[Call]:
    if node.planned:
        return recorder.calls.get(node.planned.name, [])
    return [recorder.joins[number]] if number in recorder.joins else []


def _with_details(call: Call, node: Node, graph: Graph, *, is_end: bool) -> Iterator[Row]:
    for detail in call.details:
        yield Row(call.name, detail.symbol, detail.formula, detail.value, role=detail.role)
    symbol = "y" if is_end else call.about.symbol
    if not node.planned:
        yield Row(_join_name(node), symbol, _join_formula(node, graph), call.output, role="join")
        return
    yield Row(call.name, symbol, call.about.formula, call.output)


def _join_name(node: Node) -> str:
    return node.blocks[-1].name if node.blocks else "join"


def _join_formula(node: Node, graph: Graph) -> str:
    names = [_source_name(graph.nodes[source]) for source in node.sources]
    joined = _SIGNS[node.joining].join(names)
    if node.joining == "concatenate":
        return f"[{joined}]"
    return f"({joined}) / {len(names)}" if node.joining == "mean" else joined


def _source_name(node: Node) -> str:
    if node.planned:
        return node.planned.name
    return _join_name(node) if node.sources else "input"


def backward_rows(recorder: Recorder, input: Tensor | None, tasks: Sequence[Task]) -> list[Row]:
    """The gradient of the loss at every output, from the last layer to the input."""
    graph, rows = recorder.plan.graph, list[Row]()
    ends = _ends(graph, tasks)
    for number, node in reversed(list(enumerate(graph.nodes))):
        calls = _calls_of(recorder, number, node)
        for call in reversed(calls):
            if call.gradient is None:
                continue
            name = call.name if node.planned else _join_name(node)
            is_end = number in ends and call is calls[-1]
            symbol = "dy" if is_end else f"d{call.about.symbol}"
            symbol = DELTA if call.about.symbol == "z" else symbol
            rows.append(Row(name, symbol, "", call.gradient))
    if input is not None:
        rows.append(Row("input", "dx", "", input, role="input"))
    return rows
