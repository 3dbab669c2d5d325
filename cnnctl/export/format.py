"""A format: what it holds, how its files are written, and how they are run for the check."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from cnnctl.export.original import Original

Batches = Mapping[str, Tensor]
"""Batches of inputs (N, …), by a name for each."""
Results = Mapping[str, Mapping[str, Tensor]]
"""The named outputs (N, …) for each batch, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of an export; a format says which of them it takes."""

    raw: bool = False
    """Only the network: preprocessed inputs in, and outputs as the network gives them out."""
    quantize: str = ""
    """`int8`, or nothing."""
    training: bool = False
    """Also a script that trains it."""
    tolerance: float | None = None
    """The largest difference to accept; None for the format's own limit."""

    def given(self) -> dict[str, bool]:
        """Which options are set, of those that only some formats take."""
        return {"raw": self.raw, "quantize": bool(self.quantize), "training": self.training}


@dataclass(frozen=True, slots=True)
class Checked:
    """How an export differs from its original."""

    difference: float
    """0 if they are the same; not a number if one of them is not."""
    tolerance: float
    inputs: str
    """What both were run on, such as `8 random inputs, in batches of 1 and 7`."""
    measure: str = "largest difference"
    """What `difference` is."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Further figures of the check, for JSON."""
    results: tuple[str, ...] = ()
    """What else was measured, in words; the same as in `figures`."""
    notes: tuple[str, ...] = ()
    """Sentences to print, such as that no real inputs could be read."""

    @property
    def is_within(self) -> bool:
        """Whether the export may be kept."""
        return self.difference <= self.tolerance


Run = Callable[["Format", Path, Batches], Results]
"""What runs an exported file on batches: in a fresh process, see `fresh.run`."""


class Format(ABC):
    """A file format; a new one is a file in `formats` and its entry there."""

    name: ClassVar[str]
    """What `--format` calls it; also the name of its module."""
    suffix: ClassVar[str]
    about: ClassVar[str]
    """What the file is, in a line."""
    options: ClassVar[frozenset[str]] = frozenset()
    """Which of `raw`, `quantize` and `training` it takes."""
    packages: ClassVar[tuple[str, ...]] = ()
    """The packages of extras that it needs."""

    def names(self, file: Path, wishes: Wishes) -> tuple[str, ...]:
        """The names of the files that are written to the folder of `file`, itself first."""
        return (file.name,)

    def misfit(self, original: Original, wishes: Wishes) -> str:
        """Why it cannot hold this network, after `cannot be exported to X: `; empty if it can."""
        return ""

    @abstractmethod
    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        """The content of each of the files in `names`; nothing is written.

        Raises:
            FaultError: it cannot hold a layer, which the message names.
        """

    @staticmethod
    @abstractmethod
    def run(file: str, batches: Batches) -> Results:
        """Run an exported file on batches of inputs.

        Its source alone is sent to the fresh process: it imports all that it uses, and may use
        `Any`, `Mapping` and the other names of this module in annotations only.
        """

    @abstractmethod
    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        """Compare an exported file with its original; `run` runs the file.

        Raises:
            FaultError: it does not run.
        """
