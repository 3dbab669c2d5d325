"""A network drawn to a file: by Graphviz as a picture, or as text for Mermaid and Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.errors import config_fault
from cnnctl.inspection.drawing import Box, Drawing, Frame, drawing_of
from cnnctl.model.network import Plan
from cnnctl.storage import write_atomically

if TYPE_CHECKING:
    from graphviz import Digraph

TEXTS = (".mmd", ".dot", ".gv")
PICTURES = (".svg", ".pdf", ".png")

_COLOURS = {
    "convolution": "#cfe3ff",
    "linear": "#ffe2c2",
    "normalization": "#e7dcf7",
    "activations": "#fff3bf",
    "pooling": "#d3f1dc",
    "dropout": "#f1f1f1",
    "shape": "#f1f1f1",
    "input": "#ffffff",
}
"""By what a layer is for; blocks and what plugins bring are white."""
_WHITE = "#ffffff"
_LOOK = {
    "graph": {"rankdir": "TB", "fontname": "Helvetica", "nodesep": "0.3", "ranksep": "0.3"},
    "node": {
        "shape": "box", "style": "rounded,filled", "fontname": "Helvetica", "fontsize": "11",
        "color": "#5f6b7a", "margin": "0.12,0.05", "height": "0.3",
    },
    "edge": {"color": "#5f6b7a", "arrowsize": "0.6"},
}  # fmt: skip
_FRAME = {"style": "rounded", "color": "#9aa5b1", "fontsize": "11", "labeljust": "l"}


def draw(plan: Plan, path: Path, *, depth: int | None = None) -> None:
    """Write the drawing of a network, with blocks open down to a depth.

    Raises:
        FaultError: the suffix is not one of TEXTS and PICTURES, Graphviz is not there, or the file
            cannot be written.
    """
    if path.suffix not in (*TEXTS, *PICTURES):
        known = ", ".join((*PICTURES, *TEXTS))
        message = f"{path.name} names no kind of drawing that is known"
        raise config_fault(message, cure=f"name a file that ends in {known}")
    drawing = drawing_of(plan, depth=depth)
    if path.suffix == ".mmd":
        write_atomically(path, to_mermaid(drawing).encode())
    else:
        write_atomically(path, _by_graphviz(drawing, path.suffix))


def to_mermaid(drawing: Drawing) -> str:
    """A flowchart in the language of Mermaid, which GitHub shows as a picture."""
    first, *others = drawing.items
    assert isinstance(first, Box)
    start = f'    {first.identity}(["{first.title} {first.detail}"])'
    lines = [line for item in others for line in _mermaid_lines(item)]
    arrows = (f"    {source} --> {target}" for source, target in drawing.arrows)
    return "\n".join(["flowchart TD", start, *lines, *arrows, ""])


def _mermaid_lines(item: Box | Frame) -> Iterator[str]:
    if isinstance(item, Box):
        yield f'    {item.identity}["{item.title}<br>{item.detail}"]'
        return
    yield f'    subgraph {item.identity}["{item.title}"]'
    for inner in item.items:
        yield from _mermaid_lines(inner)
    yield "    end"


def _by_graphviz(drawing: Drawing, suffix: str) -> bytes:
    try:
        from graphviz import ExecutableNotFound
    except ModuleNotFoundError:
        cure = "pip install 'cnnctl[graph]', or name a .mmd file, for Mermaid"
        raise config_fault("this drawing needs the graphviz package", cure=cure) from None
    graph = to_graphviz(drawing)
    if suffix in TEXTS:
        return str(graph.source).encode()
    try:
        picture: bytes = graph.pipe(format=suffix.removeprefix("."))
    except ExecutableNotFound:
        message = "Graphviz, the program that draws, is not installed"
        cure = "install it (apt, dnf or brew install graphviz), or name a .mmd or .dot file"
        raise config_fault(message, cure=cure) from None
    return picture


def to_graphviz(drawing: Drawing) -> Digraph:
    """A graph of the graphviz package."""
    from graphviz import Digraph

    graph = Digraph("network")
    for part, look in _LOOK.items():
        graph.attr(part, **look)
    _fill(graph, drawing.items)
    graph.edges(drawing.arrows)
    return graph


def _fill(graph: Digraph, items: list[Box | Frame]) -> None:
    for item in items:
        if isinstance(item, Box):
            colour = _COLOURS.get(item.family, _WHITE)
            graph.node(item.identity, f"{item.title}\n{item.detail}", fillcolor=colour)
            continue
        with graph.subgraph(name=f"cluster_{item.identity}") as frame:
            frame.attr(label=item.title, **_FRAME)
            _fill(frame, item.items)
