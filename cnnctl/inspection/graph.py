"""Drawings in files: pictures by Graphviz, or source for Mermaid and Graphviz."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from cnnctl.errors import config_fault
from cnnctl.extras import require
from cnnctl.inspection.drawing import Box, Drawing, Frame, drawing_of
from cnnctl.model.network import NetworkPlan
from cnnctl.storage import write_atomically

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
"""Colours by the role of a layer; blocks and layers of plugins are white."""
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


def draw(plan: NetworkPlan, path: Path, *, depth: int | None = None) -> None:
    """Draw a network to a file, with blocks unfolded down to a depth.

    Raises:
        FaultError: the suffix is not one of TEXTS and PICTURES, a picture needs pygraphviz, which
            is not installed, or the file cannot be written.
    """
    if path.suffix not in (*TEXTS, *PICTURES):
        known = ", ".join((*PICTURES, *TEXTS))
        message = f"cannot draw to {path.name}: unknown format"
        raise config_fault(message, hint=f"use a file name ending in one of {known}")
    drawing = drawing_of(plan, depth=depth)
    write_atomically(path, _content(drawing, path.suffix), option="--graph")


def _content(drawing: Drawing, suffix: str) -> bytes:
    if suffix == ".mmd":
        return to_mermaid(drawing).encode()
    dot = to_dot(drawing)
    return dot.encode() if suffix in TEXTS else _picture(dot, suffix.removeprefix("."))


def to_mermaid(drawing: Drawing) -> str:
    """The drawing as a Mermaid flowchart, which GitHub renders."""
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


def to_dot(drawing: Drawing) -> str:
    """The drawing in Graphviz's DOT."""
    looks = (f"    {part} [{_attributes(look)}]" for part, look in _LOOK.items())
    boxes = (line for item in drawing.items for line in _dot_lines(item))
    arrows = (f"    {_quoted(a)} -> {_quoted(b)}" for a, b in drawing.arrows)
    return "\n".join(["digraph network {", *looks, *boxes, *arrows, "}", ""])


def _dot_lines(item: Box | Frame) -> Iterator[str]:
    if isinstance(item, Box):
        colour = _COLOURS.get(item.family, _WHITE)
        look = {"label": f"{item.title}\n{item.detail}", "fillcolor": colour}
        yield f"    {_quoted(item.identity)} [{_attributes(look)}]"
        return
    yield f"    subgraph {_quoted(f'cluster_{item.identity}')} {{"
    yield f"    graph [{_attributes({'label': item.title, **_FRAME})}]"
    for inner in item.items:
        yield from _dot_lines(inner)
    yield "    }"


def _attributes(look: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={_quoted(value)}" for name, value in look.items())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # DOT quotes and escapes as JSON does


def _picture(dot: str, form: str) -> bytes:
    """Render DOT with Graphviz."""
    require("pygraphviz", what="pictures need", otherwise="draw to a .mmd or .dot file")
    from pygraphviz import AGraph

    picture: bytes = AGraph(string=dot).draw(format=form, prog="dot")
    return picture
