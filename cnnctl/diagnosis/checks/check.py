"""What a check is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from cnnctl.diagnosis.facts import Facts
from cnnctl.verification.finding import Finding, Verdict

Numbers = Mapping[str, Any]
"""Figures of a finding as plain data."""
When = Literal["before training", "after training", "always"]


class Check(ABC):
    """A check of the facts: a subclass in a file of its own, and its entry in CHECKS."""

    name: ClassVar[str]
    threshold: ClassVar[str]
    """From where on it warns, in words."""
    source: ClassVar[str]
    """Where its method and its threshold are from."""
    when: ClassVar[When] = "always"
    """Of which networks it is a check."""

    @abstractmethod
    def find(self, facts: Facts) -> Finding:
        """Judge the facts."""

    def applies(self, facts: Facts) -> bool:
        """Whether this is a check of such a network."""
        stage: When = "after training" if facts.is_trained else "before training"
        return self.when in ("always", stage)


def fine(figure: str, numbers: Numbers | None = None) -> Finding:
    """Nothing to say."""
    return Finding(figure=figure, numbers=numbers or {})


def unknown(reason: str) -> Finding:
    """A fact is missing."""
    return Finding(figure=reason, verdict=Verdict.UNKNOWN)


def warning(figure: str, hint: str, numbers: Numbers, *, named: tuple[str, ...] = ()) -> Finding:
    """Something is wrong."""
    return Finding(figure=figure, verdict=Verdict.WARNING, hint=hint, named=named, numbers=numbers)
