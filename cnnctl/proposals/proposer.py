"""What proposes an experiment for one kind of source, and what it proposes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType

from cnnctl.errors import Fault, FaultError


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was found in a source, and an experiment that fits it."""

    report: RenderableType
    text: str
    """The experiment's file."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has asked for."""

    folder: Path
    """Where the experiment's file will be."""
    target: str | None = None
    """The column or array to predict; None to find it."""
    pretrained: bool | None = None
    """Whether to start from published weights; None to decide."""


class Proposer(ABC):
    """Proposes experiments for one kind of source."""

    takes: ClassVar[str]
    """What it takes, for messages."""

    @staticmethod
    @abstractmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        """Whether a source is of this kind, and can answer these wishes."""

    @abstractmethod
    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        """Look at a source and propose an experiment.

        Raises:
            FaultError: the source cannot be read, has nothing to learn, or has no such target.
        """


def refuse_pretrained(wishes: Wishes) -> None:
    """Raise a FaultError where weights are asked for that only pictures have."""
    if wishes.pretrained:
        message = "--pretrained is for pictures: no weights are published for other data"
        raise FaultError(Fault(message=message, hint="leave --pretrained out"))


@contextmanager
def targets_named_by_option() -> Iterator[None]:
    """Make hints say how to give `init` the target, instead of an experiment."""
    with hints_changed("data.target=", "--target "):
        yield


@contextmanager
def hints_changed(old: str, new: str) -> Iterator[None]:
    """Replace a phrase in the hints of faults within."""
    try:
        yield
    except FaultError as error:
        faults = [replace(fault, hint=fault.hint.replace(old, new)) for fault in error.faults]
        raise FaultError(*faults, exit_code=error.exit_code) from None
