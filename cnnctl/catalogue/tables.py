"""The catalogue as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cnnctl.catalogue import (
    Facts,
    describe_all,
    describe_experiment,
    describe_family,
    describe_kind,
    describe_section,
)
from cnnctl.config.choice import Choice, Spec
from cnnctl.config.wording import times
from cnnctl.model.zoo.network import Network
from cnnctl.shipped import experiments

_HINT = """
cnnctl list FAMILY         kinds of a family
cnnctl list FAMILY KIND    options of a kind
cnnctl list SECTION        options of a section
cnnctl list configs        shipped experiments
cnnctl list formats        formats of cnnctl export"""


def render_all() -> RenderableType:
    """A table of the families and one of the sections."""
    families = _table("family", "kinds", "description", numbers=["kinds"])
    sections = _table("section", "options", "description", numbers=["options"])
    for facts in describe_all():
        if "family" in facts:
            families.add_row(_named(facts["family"]), str(facts["kinds"]), facts["about"])
        else:
            sections.add_row(_named(facts["section"]), str(facts["options"]), facts["about"])
    return Group(families, Text(), sections, Text(_HINT))


def render_family(family: type[Choice]) -> Table:
    """A table of a family's kinds."""
    if issubclass(family, Network):
        return _networks(family)
    table = _table(family.noun(), "description", "example")
    for facts in describe_family(family):
        table.add_row(_named(facts["kind"]), facts["about"], facts["example"])
    return table


def _networks(family: type[Choice]) -> Table:
    """The zoo, with the cost of each network at its published input shape."""
    numbers = ["input", "parameters", "multiply-adds"]
    table = _table("network", *numbers, "description", numbers=numbers)
    for facts in describe_family(family):
        costs = (f"{facts[name]:,}" for name in ("parameters", "multiply_adds"))
        table.add_row(_named(facts["kind"]), times(facts["input"]), *costs, facts["about"])
    return table


def render_kind(kind: type[Choice]) -> RenderableType:
    """A kind's description, its shortest form, and a table of its options."""
    facts = describe_kind(kind)
    short = f"   short form sets {kind.short}" if kind.short else ""
    return Group(*_heading(kind.kind, facts), f"{facts['example']}{short}", _options(facts))


def render_section(section: type[Spec]) -> RenderableType:
    """A section's description, and a table of its options."""
    facts = describe_section(section)
    return Group(*_heading(facts["section"], facts), _options(facts))


def render_experiments() -> Table:
    """A table of the shipped experiments."""
    table = _table("experiment", "description", "reaches", "takes")
    for facts in map(describe_experiment, experiments()):
        table.add_row(_named(facts["name"]), facts["about"], facts["reaches"], facts["takes"])
    return table


def render_experiment(name: str) -> RenderableType:
    """The comment at the top of a shipped experiment."""
    facts = describe_experiment(name)
    table = Table(box=None, pad_edge=False, show_header=False)
    for fact in ("from", "reaches", "takes"):
        table.add_row(fact, facts[fact])
    return Group(*_heading(name, {**facts, "details": ""}), table)


def _heading(name: str, facts: Facts) -> list[RenderableType]:
    head = Text.assemble((name, "bold cyan"), f": {facts['about']}")
    return [head, *facts["details"].splitlines()]


def _options(facts: Facts) -> Table:
    table = _table("option", "type", "default", "help")
    for option in facts["options"]:
        is_required = "default" not in option
        default = Text("required", style="yellow") if is_required else _shown(option["default"])
        table.add_row(option["name"], option["type"], default, option["about"])
    return table


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    """A table that folds all columns except the first and numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        is_number = column in numbers
        table.add_column(
            column,
            justify="right" if is_number else "left",
            no_wrap=is_number or not index,
            overflow="fold",
        )
    return table


def _named(name: str) -> Text:
    return Text(name, style="cyan")


def _shown(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if isinstance(value, bool | None) else str(value)
