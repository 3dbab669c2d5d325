"""Parameter groups: weights with their own learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from torch import nn

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat
from cnnctl.config.choice import Spec, refusal
from cnnctl.config.patterns import Names, unmatched
from cnnctl.errors import ConfigPath, Fault


class Group(Spec):
    """A parameter group: weights with their own learning rate or weight decay."""

    match: str | Annotated[list[str], Field(min_length=1)]
    """Names or patterns of layers or weights: `conv1`, `residual*`, `*.bias`."""
    lr: PositiveFloat | None = None
    """Learning rate of the group; the scheduler applies to it, too."""
    weight_decay: NonNegativeFloat | None = None
    """Weight decay of the group."""

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if self.lr is None and self.weight_decay is None:
            raise refusal("the group has no settings", hint="give it lr or weight_decay")
        return self

    def patterns(self) -> list[str]:
        """The patterns as a list."""
        return [self.match] if isinstance(self.match, str) else self.match

    def settings(self) -> dict[str, Any]:
        """The settings of the group, by their names in torch.optim."""
        return self.model_dump(exclude={"match"}, exclude_none=True)


def check_groups(groups: Sequence[Group], network: nn.Module) -> list[Fault]:
    """Check that every pattern matches a weight of the network.

    Paths are those of the experiment. The network may be on the meta device.
    """
    return unmatched(_patterns(groups), [name for name, _ in network.named_parameters()])


def _patterns(groups: Sequence[Group]) -> Iterator[tuple[ConfigPath, str]]:
    """Every pattern, with its path."""
    for index, group in enumerate(groups):
        path: ConfigPath = ("optimizer", "groups", index, "match")
        for position, pattern in enumerate(group.patterns()):
            yield path if isinstance(group.match, str) else (*path, position), pattern


def members(network: nn.Module, groups: Sequence[Group]) -> dict[str, int]:
    """The group of each parameter that is in one, by name; the first match counts."""
    names = Names(name for name, _ in network.named_parameters())
    found: dict[str, int] = {}
    for index, group in enumerate(groups):
        for pattern in group.patterns():
            for name in names.select(pattern):
                found.setdefault(name, index)
    return found
