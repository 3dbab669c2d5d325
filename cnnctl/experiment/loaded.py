"""A checked experiment, and the locations of faults in its text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from cnnctl.config.source import Node, Place, homeward, locate
from cnnctl.data.samples import DatasetInfo
from cnnctl.errors import SHOWN, Fault, FaultError, under
from cnnctl.experiment.spec import Experiment
from cnnctl.experiment.tasks import Task, tasks_of
from cnnctl.model import zoo
from cnnctl.model.matching import match_weights
from cnnctl.model.network import NetworkPlan, meta_network
from cnnctl.model.weights import gather_weights
from cnnctl.model.weights_file import Tensors


@dataclass(frozen=True)
class Loaded:
    """An experiment, its text, the plan of its network and the description of its data."""

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

    def has_network_of(self, other: Experiment, data: DatasetInfo) -> bool:
        """Whether another experiment, with data of this description, has the same network."""
        mine = self.description
        is_same_data = (mine.shape, mine.targets) == (data.shape, data.targets)
        return is_same_data and self.experiment.model == other.model

    @contextmanager
    def places(self, *prefix: str) -> Iterator[None]:
        """Add file, line and column to faults raised inside."""
        with placed(self.source, *prefix):
            yield


def starting_weights(loaded: Loaded) -> Tensors | None:
    """The initial weights of an experiment, checked against its network; None for random ones.

    Raises:
        FaultError: they are not available, or do not fit.
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
    """Add to every fault without a place the location of its path, relative to `prefix`.

    The faults are sorted in the order of the text.
    """
    try:
        yield
    except FaultError as raised:
        if len(raised.every) > len(raised.faults):  # a selection of faults in the data
            raise
        faults = sorted(under(prefix, raised).faults, key=lambda fault: locate(source, fault))
        told = [_located(source, fault) for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            more = f"and {len(faults) - SHOWN:,} more errors"
            told.append(Fault(message=more, hint="fix these first", place=source.place.origin))
        raise FaultError(*told, exit_code=raised.exit_code) from None


def _located(source: Node, fault: Fault) -> Fault:
    """The fault with its place, and with its path as written there."""
    if fault.place:
        return fault
    place = locate(source, fault)
    if zoo.is_written_there(place):
        return _located_in_zoo(fault, place)
    written = homeward(source, fault.path, above=("model",))
    return replace(fault, place=str(place), path=written)


def _located_in_zoo(fault: Fault, place: Place) -> Fault:
    """A fault in a published network, which the user can only fix outside of it."""
    there = f"{place.origin}:{place.line}"
    message = f"the network does not fit the data or its options: {fault.message} ({there})"
    hint = "use inputs of the size it was designed for (see data.size), or other options"
    return Fault(message=message, hint=hint, path=("model", "zoo"), place=str(place.used_at))
