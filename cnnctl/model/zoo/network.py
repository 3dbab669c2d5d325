"""What every network of the zoo is: options, and the parameters of its file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from cnnctl.config.choice import Choice

Width = Annotated[int, Field(gt=0, le=4096)]
Chance = Annotated[float, Field(ge=0, lt=1)]


class Network(Choice, family="zoo"):
    """A published network. A member names its file and turns its options into parameters."""

    file: ClassVar[str]
    """The YAML file, beside this one."""

    def parameters(self) -> dict[str, Any]:
        """What stands for each `$name` of the file, as plain data."""
        return self.model_dump(mode="json")


def dropout_of(chance: float) -> list[Any]:
    """The layers that drop outputs with this chance: one, or none."""
    return [{"dropout": chance}] if chance else []
