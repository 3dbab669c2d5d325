"""A method: what it needs, what it fits, and how it explains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from cnnctl.explanation.explanation import Explanation
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject


class Method(ABC):
    """A way to explain a network; a new one is a file in `methods` and its entry there."""

    name: ClassVar[str]
    """What `--method` calls it."""
    reference: ClassVar[str]
    """The paper that it is from."""
    options: ClassVar[frozenset[str]] = frozenset()
    """Which of `layer`, `unit` and `target` it takes."""
    needs_samples: ClassVar[bool] = True
    package: ClassVar[str] = ""
    """The package that it needs, beyond those of cnnctl itself."""

    def misfit(self, subject: Subject) -> str:
        """Why it does not fit this network, such as `needs a convolution`; empty if it does."""
        return ""

    @abstractmethod
    def explain(self, request: Request) -> Explanation:
        """Explain.

        Raises:
            FaultError: the layer or unit is not there, or the method does not fit it.
        """


Methods = Mapping[str, Method]
"""Methods by name."""
