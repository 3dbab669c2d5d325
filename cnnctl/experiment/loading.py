"""A file and its overrides -> a fully checked experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cnnctl.config import overrides as command_line
from cnnctl.config.source import Node, Place, homeward, locate, parse_source, read_text
from cnnctl.config.validation import validate
from cnnctl.data.download import data_root as default_root
from cnnctl.data.samples import DatasetInfo
from cnnctl.errors import (
    SHOWN,
    Fault,
    FaultError,
    closest,
    config_fault,
    did_you_mean,
    gathered,
    under,
)
from cnnctl.experiment.consistency import check
from cnnctl.experiment.spec import Experiment, is_fit_for_a_folder
from cnnctl.experiment.tasks import Task, tasks_of
from cnnctl.model import zoo
from cnnctl.model.expansion import expand
from cnnctl.model.matching import match_weights
from cnnctl.model.network import NetworkPlan, meta_network
from cnnctl.model.weights import DEFAULT, gather_weights
from cnnctl.model.weights_file import Tensors
from cnnctl.plugins import load_plugins
from cnnctl.shipped import experiments, is_name, is_shipped, text_of
from cnnctl.storage import current_folder, is_file


@dataclass(frozen=True)
class Loaded:
    """An experiment, the text it is from, and its network and data as far as they are known."""

    experiment: Experiment
    source: Node
    plan: NetworkPlan
    description: DatasetInfo
    text: str = ""
    """The text of its file; a pipe can be read only once."""

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of the network."""
        return tasks_of(self.experiment, self.plan, self.description)

    @contextmanager
    def places(self, *prefix: str) -> Iterator[None]:
        """Faults raised inside get the file, line and column of what they blame."""
        with placed(self.source, *prefix):
            yield


def starting_weights(loaded: Loaded) -> Tensors | None:
    """The initial weights of an experiment, checked against its network; None for random ones.

    Raises:
        FaultError: they cannot be had, or do not fit.
    """
    weights = loaded.experiment.model.weights
    if weights is None:
        return None
    with loaded.places():
        tensors = gather_weights(weights, loaded.plan)
    with loaded.places("model", "weights"):
        match_weights(meta_network(loaded.plan), tensors)
    return tensors


@contextmanager
def placed(source: Node, *prefix: str) -> Iterator[None]:
    """Give every fault without a place the one where its path, below `prefix`, was written.

    They come in the order of the text.
    """
    try:
        yield
    except FaultError as raised:
        faults = sorted(under(prefix, raised).faults, key=lambda fault: locate(source, fault))
        told = [_told(source, fault) for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            more = f"and {len(faults) - SHOWN:,} more errors"
            told.append(Fault(message=more, hint="fix these first", place=source.place.origin))
        raise FaultError(*told, exit_code=raised.exit_code) from None


def _told(source: Node, fault: Fault) -> Fault:
    """The fault at its place, and at the path that was written there."""
    if fault.place:
        return fault
    place = locate(source, fault)
    if zoo.is_written_there(place):
        return _told_of_zoo(fault, place)
    written = homeward(source, fault.path, above=("model",))
    return replace(fault, place=str(place), path=written)


def _told_of_zoo(fault: Fault, place: Place) -> Fault:
    """A fault in a published network, which its user can mend from outside only."""
    there = f"{place.origin}:{place.line}"
    message = f"the network does not fit the data or its options: {fault.message} ({there})"
    hint = "use inputs of the size it was designed for (see data.size), or other options"
    return Fault(message=message, hint=hint, path=("model", "zoo"), place=str(place.used_at))


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
