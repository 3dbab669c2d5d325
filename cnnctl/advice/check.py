"""What a check of an experiment is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault

Advice = Iterator[Fault]


class Check(ABC):
    """A check for valid but unwise settings: a subclass, and its entry in CHECKS.

    Its docstring says what it looks for, and where its thresholds are from.
    """

    @abstractmethod
    def find(self, facts: Facts) -> Advice:
        """What is unwise, with what to do; paths are those of the experiment."""
