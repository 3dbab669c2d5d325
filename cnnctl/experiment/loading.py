"""A file and its overrides -> a fully checked experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnnctl.config import overrides as command_line
from cnnctl.config.source import Node, Text, parse_source, read_text
from cnnctl.config.validation import validate
from cnnctl.data.dataset import data_root as default_root
from cnnctl.errors import Fault, FaultError, gathered, under
from cnnctl.experiment.consistency import check, require_weights
from cnnctl.experiment.loaded import Loaded, placed
from cnnctl.experiment.measuring import with_own_losses
from cnnctl.experiment.placing import absolute, place_paths
from cnnctl.experiment.spec import Experiment, is_fit_for_a_folder
from cnnctl.model import zoo
from cnnctl.model.expansion import expand
from cnnctl.plugins import load_plugins
from cnnctl.shipped import experiments, is_name, is_shipped, text_of

UNNAMED = ""
"""The name of an experiment without a file, which is no name of a folder."""


def load(
    source: Path | Text, overrides: Sequence[str] = (), *, data_root: Path | None = None
) -> Loaded:
    """Read an experiment to train from a file, or by the name of a shipped one, and check it.

    See `complete`.

    Raises:
        FaultError: all faults, each with its place.
    """
    loaded = load_network(source, overrides, data_root=data_root)
    with loaded.places():
        require_weights(loaded.plan)
    return loaded


def load_network(
    source: Path | Text, overrides: Sequence[str] = (), *, data_root: Path | None = None
) -> Loaded:
    """The same for an experiment to look at, whose network may have no weights."""
    if isinstance(source, Text):
        found = complete(source.parsed(), UNNAMED, overrides, data_root=data_root)
        return replace(found, text=source.content)
    text = _text(source)
    root = parse_source(text, source)
    return replace(complete(root, source.stem, overrides, data_root=data_root), text=text)


def _text(source: Path) -> str:
    if is_shipped(source):
        return text_of(str(source))
    if is_name(source) and str(source) in zoo.Network.kinds:
        message = "is a network of the zoo, not an experiment: it names no data to train on"
        hint = (
            f"put model: {{zoo: {source}}} in an experiment's file, or write one from "
            f"`cnnctl show {source} > {source}.yaml`"
        )
        raise FaultError(Fault(message=message, hint=hint, place=str(source)))
    return read_text(source, names=experiments())


def complete(
    root: Node, name: str, overrides: Sequence[str] = (), *, data_root: Path | None = None
) -> Loaded:
    """Complete and check an experiment; `name` is its name if it does not set one.

    Datasets that survey their files read `data_root`, by default the configured dataset directory.

    Raises:
        FaultError: all faults, each with its place.
    """
    source = command_line.apply(root, overrides)
    with placed(source):
        load_plugins(_plugin_files(source))
        templates = _template_names(source)
        source = _expanded(source)
    with placed(source):
        place_paths(source)
        experiment = _surveyed(_read(source, templates, data_root), data_root)
        if "name" not in experiment.model_fields_set and is_fit_for_a_folder(name):
            experiment = experiment.model_copy(update={"name": name})
        experiment = with_own_losses(experiment)
        plan, description = check(experiment)
    return Loaded(experiment, source, plan, description)


def _template_names(source: Node) -> list[str]:
    blocks = (source.child("model") or source).child("blocks")
    return list(blocks.value) if blocks and isinstance(blocks.value, dict) else []


def _expanded(source: Node) -> Node:
    """Expand the model of the source; if that fails, the other sections are still checked."""
    try:
        return expand(source)
    except FaultError as error:
        assert isinstance(source.value, dict)
        others = {key: node for key, node in source.value.items() if key != "model"}
        faults: list[Fault] = []
        with gathered(faults):
            validate(Experiment, replace(source, value=others))
        elsewhere = (fault for fault in faults if fault.path[:1] != ("model",))
        raise FaultError(*error.faults, *elsewhere) from None


def _plugin_files(source: Node) -> list[Path]:
    """The absolute paths of the plugins, which replace those in the source."""
    node = source.child("plugins")
    items = node.children() if node and isinstance(node.value, list) else []
    if not all(isinstance(item.value, str) for item in items):
        return []  # which validation rejects
    for item in items:
        item.value = absolute(item)
    return [Path(str(item.value)) for item in items]


def _surveyed(experiment: Experiment, data_root: Path | None) -> Experiment:
    """The experiment, with the facts of its dataset that a network depends on."""
    data, root = experiment.data, data_root or default_root()
    try:
        surveyed = data.located(data_root).surveyed(root, seed=experiment.seed)
    except FaultError as error:
        raise under(("data",), error) from None
    return experiment.model_copy(update={"data": surveyed}) if surveyed is not data else experiment


def _read(source: Node, templates: Sequence[str], data_root: Path | None) -> Experiment:
    """Validate the experiment; if other sections have faults, the layers are still checked."""
    try:
        return validate(Experiment, source, templates=templates)
    except FaultError as error:
        broken = {section for fault in error.faults for section in fault.path[:1]}
        raise FaultError(*error.faults, *_unfit_layers(source, broken, data_root)) from None


def _unfit_layers(source: Node, broken: set[str | int], data_root: Path | None) -> list[Fault]:
    """Faults between data and model, if those two sections are valid."""
    sections = {key: node for key in ("data", "model") if (node := source.child(key))}
    if broken & {"data", "model"} or "model" not in sections:
        return []
    faults: list[Fault] = []
    with gathered(faults):
        experiment = validate(Experiment, Node(dict(sections), source.place))
        check(_surveyed(experiment, data_root))
    return [fault for fault in faults if fault.path[0] in sections]
