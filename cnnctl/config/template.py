"""A template, as written under `blocks:`, and its parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cnnctl.config.arithmetic import parameters_in
from cnnctl.config.nodes import Node
from cnnctl.errors import ConfigPath, Fault, FaultError, gathered, nearest


@dataclass(frozen=True, slots=True)
class Template:
    """A named piece of architecture."""

    name: str
    parameters: dict[str, Node]
    """Their defaults; empty for a required one."""
    layers: Node

    @property
    def home(self) -> ConfigPath:
        """The path of its layers, relative to the model."""
        return ("blocks", self.name, "layers")


def _fault(message: str, hint: str, path: ConfigPath, *, at_key: bool = False) -> FaultError:
    return FaultError(Fault(message=message, hint=hint, path=path, at_key=at_key))


def read_templates(
    blocks: Node, kinds: Collection[str], faults: list[Fault]
) -> dict[str, Template]:
    """Read the templates, by name; their faults are added to `faults`.

    Raises:
        FaultError: `blocks` is not a mapping.
    """
    if not isinstance(blocks.value, dict):
        hint = "write blocks: {name: {parameters: {…}, layers: […]}}"
        raise _fault("is not a mapping of names", hint, ("blocks",))
    templates: dict[str, Template] = {}
    for name, node in blocks.value.items():
        with gathered(faults, "blocks", name):
            templates[name] = _read_one(name, node, kinds)
            faults += _unknown_in(templates[name])
    return templates


def _read_one(name: str, node: Node, kinds: Collection[str]) -> Template:
    """Read one template; paths of faults are relative to it."""
    if name in kinds:
        message = f"{name} is already the name of a layer kind"
        raise _fault(message, f"use another name, such as my_{name}", (), at_key=True)
    layers, parameters = node.child("layers"), node.child("parameters")
    if layers is None or not isinstance(layers.value, list) or not layers.value:
        message = f"{name} has no list of layers"
        raise _fault(message, f"write {name}: {{parameters: {{…}}, layers: […]}}", ())
    assert isinstance(node.value, dict)
    for key in node.value:
        if key not in ("layers", "parameters"):
            hint = nearest(key, ["layers", "parameters"])
            raise _fault("no such option", hint, (key,), at_key=True)
    return Template(name, _parameters(parameters), layers)


def _parameters(node: Node | None) -> dict[str, Node]:
    """Read `{width, stride: 1}`, or `[width, stride]` if none has a default."""
    if node is None:
        return {}
    if isinstance(node.value, dict):
        return dict(node.value)
    if isinstance(node.value, list) and all(isinstance(n.value, str) for n in node.value):
        return {str(name.value): Node(None, name.place) for name in node.value}
    message, hint = "is not a mapping of names to defaults", "write {width, stride: 1}"
    raise _fault(message, hint, ("parameters",))


def _unknown_in(template: Template) -> list[Fault]:
    """Faults for `$name` where the template has no such parameter."""
    known = list(template.parameters)
    return [
        Fault(
            message=f"{template.name} has no parameter named {name}",
            hint=nearest(name, known) or f"write parameters: {{{name}}} in the template",
            path=path,
        )
        for path, text in _texts(template.layers, template.home)
        for name in mentioned(text, known)
        if name not in known
    ]


def mentioned(text: str, known: Collection[str] = ()) -> list[str]:
    """The parameters in a text: one in `$name`, several in a formula such as `$width / 16`."""
    if text.startswith("$") and (text[1:] in known or not parameters_in(text)):
        return [text[1:]]
    return parameters_in(text)


def _texts(node: Node, path: ConfigPath) -> Iterator[tuple[ConfigPath, str]]:
    """Every string in a node, with its path."""
    if isinstance(node.value, str):
        yield path, node.value
    elif isinstance(node.value, dict):
        for key, below in node.value.items():
            yield from _texts(below, (*path, key))
    elif isinstance(node.value, list):
        for index, below in enumerate(node.value):
            yield from _texts(below, (*path, index))


def unfit_entries(template: Template, entries: Collection[str], path: ConfigPath) -> list[Fault]:
    """Faults for unknown parameters of a use at this path or, if there are none, missing ones."""
    return _unknown(template, entries, path) or _missing(template, entries, path)


def _unknown(template: Template, entries: Collection[str], path: ConfigPath) -> list[Fault]:
    known = list(template.parameters)
    return [
        Fault(
            message=f"{template.name} has no such parameter",
            hint=nearest(key, known) or "leave it out",
            path=(*path, key),
            at_key=True,
        )
        for key in entries
        if key not in known
    ]


def _missing(template: Template, entries: Collection[str], path: ConfigPath) -> list[Fault]:
    required = (key for key, default in template.parameters.items() if default.value is None)
    missing = [key for key in required if key not in entries]
    message = f"{template.name} needs {', '.join(missing)}"
    hint = f"write {template.name}: {{{': …, '.join(missing)}: …}}"
    return [Fault(message=message, hint=hint, path=path)] if missing else []
