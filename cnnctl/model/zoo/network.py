"""The base of zoo networks: options, and the parameters of the YAML file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from cnnctl.config.choice import Choice

Width = Annotated[int, Field(gt=0, le=4096)]
Chance = Annotated[float, Field(ge=0, lt=1)]


class Network(Choice, family="zoo"):
    """A published network. A kind turns its options into the parameters of its file."""

    file: ClassVar[str] = ""
    """The YAML file, next to this one (default: named after the kind)."""

    def __init_subclass__(cls, *, kind: str = "", **rest: Any) -> None:
        """Find the file."""
        super().__init_subclass__(kind=kind, **rest)
        if kind and not cls.file:
            cls.file = f"{kind}.yaml"

    @classmethod
    def variant(cls, kind: str, about: str, /, **values: Any) -> None:
        """Declare a kind of this class, with its own class variables and defaults of options.

        `vocabulary` reads the call from the source: name and text are literals.
        """
        options: dict[str, Any] = {
            name: (info.rebuild_annotation(), values.pop(name))
            for name, info in cls.model_fields.items()
            if name in values
        }
        made = create_model(
            kind,
            __base__=cls,
            __module__=cls.__module__,
            __doc__=about,
            __cls_kwargs__={"kind": kind},
            **options,
        )
        for name, value in values.items():
            setattr(made, name, value)

    def parameters(self) -> dict[str, Any]:
        """The value of each `$name` in the file, as plain data."""
        return self.model_dump(mode="json")


def dropout_of(chance: float) -> list[Any]:
    """The dropout layer with this probability, as a list; empty for 0."""
    return [{"dropout": chance}] if chance else []
