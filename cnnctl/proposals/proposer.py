"""What proposes an experiment for one kind of source, and what it proposes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was found in a source, and an experiment that fits it."""

    report: RenderableType
    text: str
    """The experiment's file."""


class Proposer(ABC):
    """Proposes experiments for one kind of source."""

    takes: ClassVar[str]
    """What it takes, for messages."""

    @staticmethod
    @abstractmethod
    def suits(source: Path) -> bool:
        """Whether a source is of this kind."""

    @abstractmethod
    def propose(self, source: Path, *, target: str | None, folder: Path) -> Proposal:
        """Look at a source and propose an experiment, whose file will be in `folder`.

        target: the column to predict, if one was named.

        Raises:
            FaultError: the source cannot be read or teaches nothing, or has no such column.
        """
