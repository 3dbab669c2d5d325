"""A file and its overrides -> a fully checked experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnnctl.config import overrides as command_line
from cnnctl.config.source import Node, parse_source, read_text
from cnnctl.config.validation import validate
from cnnctl.data.download import data_root as default_root
from cnnctl.errors import (
    Fault,
    FaultError,
    closest,
    config_fault,
    did_you_mean,
    gathered,
    under,
)
from cnnctl.experiment.consistency import check
from cnnctl.experiment.loaded import Loaded, placed
from cnnctl.experiment.measuring import with_own_losses
from cnnctl.experiment.spec import Experiment, is_fit_for_a_folder
from cnnctl.model import zoo
from cnnctl.model.expansion import expand
from cnnctl.model.weights import DEFAULT
from cnnctl.plugins import load_plugins
from cnnctl.shipped import experiments, is_name, is_shipped, text_of
from cnnctl.storage import current_folder, is_file


def load(source: Path, overrides: Sequence[str] = (), *, data_root: Path | None = None) -> Loaded:
    """Read an experiment from its file, or by the name of a shipped one, and check it as a whole.

    See `complete`.

    Raises:
        FaultError: everything that is wrong with it, each fault with its place.
    """
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
    """An experiment from what was read, and the name that it has if it gives itself none.

    Data sets that survey their files look into `data_root`, or the dataset directory that is set.

    Raises:
        FaultError: everything that is wrong with it, each fault with its place.
    """
    source = command_line.apply(root, overrides)
    with placed(source):
        load_plugins(_plugin_files(source))
        templates = _template_names(source)
        source = _expanded(source)
    with placed(source):
        _place_weights(source)
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
    """The source with its model written out; if that fails, the other sections are still read."""
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
    """The plugins, as paths that hold from everywhere; they replace what the source says."""
    node = source.child("plugins")
    items = node.children() if node and isinstance(node.value, list) else []
    if not all(isinstance(item.value, str) for item in items):
        return []  # which the experiment refuses
    for item in items:
        item.value = _absolute(item)
    return [Path(str(item.value)) for item in items]


def _absolute(node: Node) -> str:
    """A path as it holds from everywhere; a file's paths start from its folder."""
    is_typed = node.layer == command_line.COMMAND_LINE
    folder = Path() if is_typed else Path(node.place.origin).parent
    return str(current_folder() / folder / str(node.value))


def _place_weights(source: Node) -> None:
    """Make the path of a file of weights hold from everywhere.

    Raises:
        FaultError: there is no such file.
    """
    model = source.child("model")
    node = model.child("weights") if model else None
    if node and isinstance(node.value, str) and node.value not in (DEFAULT, "none"):
        written, node.value = node.value, _absolute(node)
        if not is_file(Path(node.value)):
            message = f"no such file: {written}"
            close = did_you_mean(closest(written, (DEFAULT, "none")))
            hint = close or "give a weights file, or leave it out"
            raise config_fault(message, hint=hint, path=("model", "weights"))


def _surveyed(experiment: Experiment, data_root: Path | None) -> Experiment:
    """The experiment with what its data set must look up before a network is planned."""
    data, root = experiment.data, data_root or default_root()
    try:
        surveyed = data.surveyed(root, seed=experiment.seed)
    except FaultError as error:
        raise under(("data",), error) from None
    return experiment.model_copy(update={"data": surveyed}) if surveyed is not data else experiment


def _read(source: Node, templates: Sequence[str], data_root: Path | None) -> Experiment:
    """Read the experiment; where other sections are wrong, the layers are still tried."""
    try:
        return validate(Experiment, source, templates=templates)
    except FaultError as error:
        broken = {section for fault in error.faults for section in fault.path[:1]}
        raise FaultError(*error.faults, *_unfit_layers(source, broken, data_root)) from None


def _unfit_layers(source: Node, broken: set[str | int], data_root: Path | None) -> list[Fault]:
    """What does not fit between data and model, if only other sections are broken."""
    sections = {key: node for key in ("data", "model") if (node := source.child(key))}
    if broken & {"data", "model"} or "model" not in sections:
        return []
    faults: list[Fault] = []
    with gathered(faults):
        experiment = validate(Experiment, Node(dict(sections), source.place))
        check(_surveyed(experiment, data_root))
    return [fault for fault in faults if fault.path[0] in sections]
