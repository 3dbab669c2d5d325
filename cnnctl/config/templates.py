"""Templates: `blocks:` names a piece of architecture, and the name is then a layer kind.

    blocks:
      basic:
        parameters: {width, stride: 1}     # width must be given
        layers:
          - conv: {out_channels: $width, stride: $stride}
          - relu
    layers:
      - basic: {width: 64, stride: 2}
      - basic: 64                           # fills the first parameter

A use is replaced by the layers, and `$width` by its value; a list within a list is replaced by its
items. `$width / 16` is computed (`config.arithmetic`). Every node of a template remembers where it
was written and where it is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from cnnctl.config.arithmetic import evaluate, with_values
from cnnctl.config.nodes import Node, Place
from cnnctl.config.parsing import MAX_NODES
from cnnctl.config.template import Template, mentioned, read_templates, unfit_entries
from cnnctl.errors import ConfigPath, Fault, FaultError, config_fault, gathered, under

MAX_USES_WITHIN_USES = 16

Scope = Mapping[str, Node]
"""The value of each parameter."""


def expand(model: Node, *, kinds: Collection[str]) -> Node:
    """Replace every use of the model's templates; `kinds` are the known layer kinds.

    Raises:
        FaultError: templates that are malformed, use themselves, or are used with wrong parameters;
            paths are relative to the model.
    """
    blocks = model.child("blocks")
    if blocks is None or not isinstance(model.value, dict):
        return model
    faults: list[Fault] = []
    expansion = _Expansion(read_templates(blocks, kinds, faults))
    expansion.note(*faults)
    rest = {key: node for key, node in model.value.items() if key != "blocks"}
    endless: list[Fault] = []
    with gathered(endless):
        expanded = {
            key: expansion.fill(node, {}, (key,)) if key in _WITH_LAYERS else node
            for key, node in rest.items()
        }
    # templates that use themselves also expand to too many values, which need not be reported
    if found := list(expansion.faults.values()) or endless:
        raise FaultError(*found)
    return replace(model, value=expanded)


_WITH_LAYERS = ("layers", "heads", "auxiliary")
"""The parts of a model in which a template may be used."""


def substitute(node: Node, scope: Scope) -> Node:
    """Replace every value that is a `$name` of the scope."""
    if isinstance(node.value, str) and node.value.removeprefix("$") in scope:
        is_parameter = node.value.startswith("$")
        return scope[node.value[1:]] if is_parameter else node
    if isinstance(node.value, dict):
        return replace(
            node, value={key: substitute(below, scope) for key, below in node.value.items()}
        )
    if isinstance(node.value, list):
        filled = ((below, substitute(below, scope)) for below in node.value)
        return replace(node, value=[item for pair in filled for item in _spliced(*pair)])
    return node


def _spliced(written: Node, filled: Node) -> list[Node]:
    """The items that replace `$name` in a list: its items, if its value is a list itself."""
    is_parameter = isinstance(written.value, str) and written.value.startswith("$")
    return filled.value if is_parameter and isinstance(filled.value, list) else [filled]


class _Expansion:
    """Expands the uses of templates, with a limit on the size of the result.

    Faults are collected; what they concern is left as written.
    """

    def __init__(self, templates: Mapping[str, Template]) -> None:
        self.templates = templates
        self.faults: dict[ConfigPath, Fault] = {}
        self.count = 0

    def note(self, *faults: Fault) -> None:
        """Add faults, one per path: a template is read at every use."""
        for fault in faults:
            self.faults.setdefault(fault.path, fault)

    def fill(
        self, node: Node, scope: Scope, path: ConfigPath, within: tuple[str, ...] = ()
    ) -> Node:
        """Replace parameters and templates in the node and everything below it."""
        self.count += 1
        if self.count > MAX_NODES:
            message = f"templates expand to more than {MAX_NODES} values"
            raise config_fault(message, hint="use repeat, or fewer templates", path=path)
        if isinstance(node.value, str) and "$" in node.value and mentioned(node.value, scope):
            return self._parameter(node, str(node.value), scope, path, within)
        if isinstance(node.value, dict):
            filled = {
                key: self.fill(below, scope, (*path, key), within)
                for key, below in node.value.items()
            }
            return replace(node, value=filled)
        if isinstance(node.value, list):
            return replace(node, value=self._items(node.value, scope, path, within))
        return node

    def _parameter(
        self, node: Node, text: str, scope: Scope, path: ConfigPath, within: tuple[str, ...]
    ) -> Node:
        """The value of a parameter, or of a formula of parameters."""
        if not within:
            message = f"{text} is used outside a template"
            hint = "write a value; only templates in blocks have parameters"
            self.note(Fault(message=message, hint=hint, path=path))
        if text[1:] in scope and text.startswith("$"):
            return scope[text[1:]]
        if text.removeprefix("$").isidentifier() or not scope.keys() >= set(mentioned(text, scope)):
            return node  # no such parameter, which is reported elsewhere
        try:
            value = evaluate(text, scope)
        except FaultError as error:
            self.note(*under(path, error).faults)
            return node
        return replace(node, value=value, formula=with_values(text, scope))

    def _items(
        self, items: list[Node], scope: Scope, path: ConfigPath, within: tuple[str, ...]
    ) -> list[Node]:
        counts: Counter[str] = Counter()
        filled: list[Node] = []
        for index, item in enumerate(items):
            name = _kind(item)
            if name in self.templates:
                counts[name] += 1
                label = f"{name}{counts[name]}"
                filled.append(self._use(item, scope, (*path, index), within, name, label))
            else:
                filled += _spliced(item, self.fill(item, scope, (*path, index), within))
        return filled

    def _use(
        self,
        item: Node,
        scope: Scope,
        path: ConfigPath,
        within: tuple[str, ...],
        name: str,
        label: str,
    ) -> Node:
        template = self.templates[name]
        if name in within or len(within) >= MAX_USES_WITHIN_USES:
            way = " -> ".join((*within, name))
            message = f"{name} uses itself: {way}" if name in within else f"nesting too deep: {way}"
            hint = "a template cannot use itself" if name in within else "nest fewer templates"
            self.note(Fault(message=message, hint=hint, path=path))
            return item
        options = item.child(name) or Node(None, item.place)
        options = self.fill(options, scope, (*path, name), within)
        entries, own_name = self._entries(template, options, (*path, name))
        given = {**template.parameters, **entries}
        layers = self.fill(template.layers, given, template.home, (*within, name))
        used = replace(layers, value=[mark_use(n, item.place) for n in layers.children()])
        used.home = template.home
        return _named(used, own_name or Node(label, item.place), item)

    def _entries(
        self, template: Template, options: Node, path: ConfigPath
    ) -> tuple[dict[str, Node], Node | None]:
        """The parameters that a use sets, and the layer name that it sets, if any."""
        first = next(iter(template.parameters), "")
        entries: dict[str, Node] = {}
        if isinstance(options.value, dict):
            entries = dict(options.value)
        elif options.value is not None and first:
            entries = {first: options}
        elif options.value is not None:
            message, hint = f"{template.name} has no parameters", f"write - {template.name} alone"
            self.note(Fault(message=message, hint=hint, path=path))
        own_name = None if "name" in template.parameters else entries.pop("name", None)
        self.note(*unfit_entries(template, entries, path))
        return entries, own_name


def _kind(item: Node) -> str:
    if isinstance(item.value, dict) and len(item.value) == 1:
        return next(iter(item.value))
    return item.value if isinstance(item.value, str) else ""


def mark_use(node: Node, use: Place) -> Node:
    """Add the place where the template is used to the node and everything below it."""
    if node.place.used_at is not None:
        return node
    place = replace(node.place, used_at=use)
    if isinstance(node.value, dict):
        value = {key: mark_use(below, use) for key, below in node.value.items()}
        return replace(node, value=value, place=place)
    if isinstance(node.value, list):
        return replace(node, value=[mark_use(below, use) for below in node.value], place=place)
    return replace(node, place=place)


def _named(layers: Node, name: Node, use: Node) -> Node:
    """One layer with the name of the use: the template's only layer, or a group of all."""
    items = layers.children()
    if len(items) == 1:
        kind, options = _kind(items[0]), items[0].child(_kind(items[0]))
        if isinstance(options, Node) and isinstance(options.value, dict):
            named = replace(options, value={**options.value, "name": name})
            home: ConfigPath = (*(layers.home or ()), 0, kind)
            return Node({kind: replace(named, home=home)}, items[0].place, layer=use.layer)
    group = Node({"name": name, "layers": layers}, use.place)
    return Node({"sequence": group}, use.place, layer=use.layer)
