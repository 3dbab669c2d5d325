"""Published networks, written in the configuration language; one YAML file per family.

A class has the options, and computes the parameters of the file from them; several networks can
share one. A new network is a call of `variant` on such a class, or a class of its own, and a file
if none serves it yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from cnnctl.config.nodes import Node, Place, from_plain
from cnnctl.config.parsing import parse
from cnnctl.config.templates import mark_use, substitute
from cnnctl.config.validation import validate
from cnnctl.config.wording import show
from cnnctl.errors import config_fault, nearest
from cnnctl.model.zoo import classic as _classic
from cnnctl.model.zoo import mobile as _mobile
from cnnctl.model.zoo import networks as _networks
from cnnctl.model.zoo.network import Network

del _classic, _mobile, _networks  # which declare the networks

__all__ = ["Network", "experiment_of", "find", "is_written_there", "model_of", "text_of"]

FOLDER = Path(__file__).parent
_ORIGIN = "zoo/"


def find(name: Any) -> type[Network]:
    """The network of this name.

    Raises:
        FaultError: there is none; the path is `zoo`.
    """
    network = Network.kinds.get(str(name))
    if network is None:
        message = f"no network of the zoo is named {show(name)}"
        hint = nearest(str(name), sorted(Network.kinds))
        if not hint.startswith("did you mean"):
            hint = "`cnnctl list zoo` lists all"
        raise config_fault(message, hint=hint, path=("zoo",))
    return network  # type: ignore[return-value]


def is_written_there(place: Place) -> bool:
    """Whether a node is from a network's file that a user's file uses."""
    return place.origin.startswith(_ORIGIN) and place.used_at is not None


def model_of(network: type[Network], options: Node, *, used_at: Place | None = None) -> Node:
    """The `model` section of a network's file, with these options.

    Raises:
        FaultError: options that do not exist or are out of bounds.
    """
    filled = _filled(network, options).child("model")
    assert filled is not None  # every file has one
    return mark_use(filled, used_at) if used_at else filled


def experiment_of(name: str) -> Node:
    """The experiment for NAME on the command line: the network at its published input shape."""
    network = find(name)
    data = _filled(network, Node({}, Place(name))).child("data")
    assert data is not None
    place = Place(name)
    model = Node({"zoo": Node(name, place, place)}, place, place)
    return Node({"data": data, "model": model}, place)


def text_of(network: type[Network], options: Node) -> str:
    """A network's file as text, with these options in place."""
    chosen = validate(network, options)
    text = (FOLDER / chosen.file).read_text(encoding="utf-8")
    for name, value in sorted(chosen.parameters().items(), key=lambda entry: -len(entry[0])):
        if isinstance(value, list):
            text = re.sub(
                rf"^( *)- \${name}\n", partial(_as_items, value), text, flags=re.MULTILINE
            )
        text = text.replace(f"${name}", _flow(value))
    return text


def _as_items(values: Sequence[Any], line: re.Match[str]) -> str:
    """A line for each value, indented as the line of the parameter."""
    return "".join(f"{line[1]}- {_as_item(value)}\n" for value in values)


def _as_item(value: Any) -> str:
    if isinstance(value, dict) and len(value) == 1:
        ((key, options),) = value.items()
        return f"{key}: {_flow(options)}"
    return _flow(value)


def _flow(value: Any) -> str:
    """A value in YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _filled(network: type[Network], options: Node) -> Node:
    chosen = validate(network, options)
    place = options.place
    scope = {key: from_plain(value, place) for key, value in chosen.parameters().items()}
    return substitute(_parsed(chosen.file), scope)


@cache
def _parsed(file: str) -> Node:
    return parse((FOLDER / file).read_text(encoding="utf-8"), origin=f"{_ORIGIN}{file}", layer=-100)
