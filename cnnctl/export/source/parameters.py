"""The parameters of a class, and the arguments that give them their values."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnctl.export.source.expressions import Argument, Name, written

CHANNELS = (
    *("in_channels", "out_channels", "in_features", "out_features"),
    *("num_features", "num_channels", "normalized_shape", "channels", "hidden_channels"),
)
"""Arguments of modules that count channels or features."""
ABSENT = object()
"""The value of an argument in a block that lacks its module."""

Values = tuple[object, ...]
"""The value of one argument in each block."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a class, with its value in each block."""

    name: str
    values: Values
    default: object = field(default=..., kw_only=True)
    counts_channels: bool = field(default=False, kw_only=True)
    roles: frozenset[str] = field(default=frozenset(), kw_only=True)
    """The names of the arguments that it is passed on to."""

    def argument(self, block: int) -> Argument:
        """Its argument in the call for a block."""
        value = self.values[block]
        return Argument(self.name, value, default=self.default, is_positional=self.counts_channels)

    def declared(self) -> str:
        """Its declaration in the signature of `__init__`."""
        default = "" if self.default is ... else f" = {written(self.default)}"
        return f"{self.name}: {annotation(self.values)}{default}"


def annotation(values: Values) -> str:
    """The type of some values."""
    kinds = {_kind(value): None for value in values}
    if set(kinds) == {"int", "float"}:
        return "float"
    return " | ".join(kinds)


def _kind(value: object) -> str:
    if isinstance(value, Name):
        return "Callable[[Tensor], Tensor]"
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_kind(each) for each in value)}]"
    return type(value).__name__ if value is not None else "None"


@dataclass(frozen=True, slots=True)
class Slot:
    """An argument of a module in a block."""

    path: str
    """The name of the module in its block."""
    argument: Argument
    values: Values

    @property
    def counts_channels(self) -> bool:
        """Whether it is a number of channels or features."""
        name = self.argument.name
        return name in CHANNELS or name.endswith(("_channels", "_features"))

    @property
    def is_partial(self) -> bool:
        """Whether some blocks lack the module."""
        return any(value is ABSENT for value in self.values)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in all blocks that have the module."""
        return len({(type(value), value) for value in self.values if value is not ABSENT}) == 1
