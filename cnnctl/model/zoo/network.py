"""What every network of the zoo is: options, and the parameters of its file."""

from __future__ import annotations

from typing import Any, ClassVar

from cnnctl.config.choice import Choice


class Network(Choice, family="zoo"):
    """A published network. A member names its file and turns its options into parameters."""

    file: ClassVar[str]
    """The YAML file, beside this one."""

    def parameters(self) -> dict[str, Any]:
        """What stands for each `$name` of the file, as plain data."""
        return self.model_dump(mode="json")
