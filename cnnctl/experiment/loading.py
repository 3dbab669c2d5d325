"""A file and its overrides -> an experiment that has been checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.config import overrides as command_line
from cnnctl.config.source import Node, locate, read_source
from cnnctl.config.validation import validate
from cnnctl.data.samples import Description
from cnnctl.errors import Fault, FaultError, under
from cnnctl.experiment.agreement import check, gathered
from cnnctl.experiment.spec import Experiment, is_fit_for_a_folder
from cnnctl.model.network import Plan
from cnnctl.plugins import load_plugins


@dataclass(frozen=True, slots=True)
class Loaded:
    """An experiment, the text it is from, and its network and data as far as they are known."""

    experiment: Experiment
    source: Node
    plan: Plan
    description: Description

    @contextmanager
    def places(self, *prefix: str) -> Iterator[None]:
        """Faults raised inside get the file, line and column of what they blame."""
        with placed(self.source, *prefix):
            yield


@contextmanager
def placed(source: Node, *prefix: str) -> Iterator[None]:
    """Give every fault without a place the one where its path, below `prefix`, was written.

    They come in the order of the text.
    """
    try:
        yield
    except FaultError as raised:
        faults = sorted(under(prefix, raised).faults, key=lambda fault: locate(source, fault))
        told = (f if f.place else replace(f, place=str(locate(source, f))) for f in faults)
        raise FaultError(*told, exit_code=raised.exit_code) from None


def load(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read an experiment from its file and check it as a whole.

    Raises:
        FaultError: everything that is wrong with it, each fault with its place.
    """
    source = command_line.apply(read_source(path), overrides)
    with placed(source):
        load_plugins(_plugin_files(source))
        experiment = _read(source)
        if "name" not in experiment.model_fields_set and is_fit_for_a_folder(path.stem):
            experiment = experiment.model_copy(update={"name": path.stem})
        plan, description = check(experiment)
    return Loaded(experiment, source, plan, description)


def _plugin_files(source: Node) -> list[Path]:
    """The plugins, as paths that hold from everywhere; they replace what the source says."""
    node = source.child("plugins")
    items = node.children() if node and isinstance(node.value, list) else []
    if not all(isinstance(item.value, str) for item in items):
        return []  # which the experiment refuses
    for item in items:
        is_typed = item.layer == command_line.COMMAND_LINE
        folder = Path() if is_typed else Path(item.place.origin).parent
        item.value = str(folder.absolute() / str(item.value))
    return [Path(str(item.value)) for item in items]


def _read(source: Node) -> Experiment:
    """Read the experiment; where other sections are wrong, the layers are still tried."""
    try:
        return validate(Experiment, source)
    except FaultError as error:
        broken = {section for fault in error.faults for section in fault.path[:1]}
        raise FaultError(*error.faults, *_unfit_layers(source, broken)) from None


def _unfit_layers(source: Node, broken: set[str | int]) -> list[Fault]:
    """What does not fit between data and model, if only other sections are broken."""
    sections = {key: node for key in ("data", "model") if (node := source.child(key))}
    if broken & {"data", "model"} or "model" not in sections:
        return []
    faults: list[Fault] = []
    with gathered(faults):
        check(validate(Experiment, Node(dict(sections), source.place)))
    return [fault for fault in faults if fault.path[0] in sections]
