"""What the class of a block is, in a line: its docstring."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cnnctl.export.source.expressions import WIDTH
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, children
from cnnctl.model.modules import Join

_JOINED: Mapping[Join, str] = {
    "concatenate": "concatenated",
    "add": "added",
    "multiply": "multiplied",
    "mean": "averaged",
}
_WORDS = {
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "residual": "residual block",
    "branches": "parallel branches",
}


def about(node: Node) -> str:
    """The docstring of the class for a node."""
    parts = children(node)
    if isinstance(node, Chain) and len(parts) == 1:
        return about(parts[0])
    if isinstance(node, Flow):
        text = (type(node.planned.layer).__doc__ or "").strip().partition("\n")[0]
        text = text.replace("joined", _JOINED[node.joining])
        return text if _fits(text) else re.sub(r" \([^()]*\)\.$", ".", text)
    words = [_word(part) for part in parts] or ["nothing"]
    text = ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]
    if not _fits(text):
        text = f"{len(words)} layers, from {words[0]} to {words[-1]}"
    return f"{text[:1].upper()}{text[1:]}." if _fits(text) else f"{len(words)} layers."


def _fits(text: str) -> bool:
    """Whether a docstring of a class fits on a line, with a full stop."""
    return len(f'    """{text}."""') <= WIDTH


def _word(node: Node) -> str:
    if isinstance(node, Leaf) and node.is_lifted:
        return "activation"
    if isinstance(node, Leaf) and not node.call.function.startswith("nn."):
        return node.name.rstrip("0123456789").replace("_", " ")
    if isinstance(node, Leaf) and node.layer.role == "activations":
        return node.call.function.removeprefix("nn.")
    kind = node.layer.kind if isinstance(node, Leaf) else node.name.rstrip("0123456789")
    return _WORDS.get(kind, kind.replace("_", " "))
