"""What a check has found, and what a check is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from cnnctl.errors import ConfigPath, ExitCode, Fault, FaultError
from cnnctl.verification.facts import Facts


class Verdict(StrEnum):
    """How serious a finding is."""

    FINE = "ok"
    UNKNOWN = "not checked"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check."""

    figure: str
    """What was found, in a line."""
    verdict: Verdict = Verdict.FINE
    hint: str = ""
    """What to do, where the verdict asks for it."""
    named: Sequence[str] = ()
    """Every file, line or sample that it is about."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The same as plain data."""


class Check(ABC):
    """A check of the facts: a subclass in a file of its own, and its entry in CHECKS."""

    name: ClassVar[str]
    source: ClassVar[str]
    """Where its method and its threshold are from."""
    path: ClassVar[ConfigPath] = ()
    """The option that an error is about."""
    exit_code: ClassVar[ExitCode] = ExitCode.DATA
    """Of an error."""

    @abstractmethod
    def find(self, facts: Facts) -> Finding:
        """Judge the facts."""

    def error(self, finding: Finding) -> FaultError:
        """A finding whose verdict is an error, as a fault."""
        fault = Fault(message=finding.figure, hint=finding.hint, path=self.path)
        return FaultError(fault, exit_code=self.exit_code)
