"""Several optimizers as one, each for its own weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, optim


class Combined(optim.Optimizer):
    """Optimizers that take a step together; their groups and their state are those of this one.

    Args:
        parts: optimizers, each with the positions of its groups among all groups.
    """

    def __init__(self, parts: Sequence[tuple[optim.Optimizer, Sequence[int]]]) -> None:
        self.parts = parts
        placed = {
            place: group
            for part, places in parts
            for place, group in zip(places, part.param_groups, strict=True)
        }
        super().__init__([placed[place] for place in sorted(placed)], {})
        is_fused = all(part.defaults.get("fused") for part, _ in parts)
        self.defaults = {"fused": is_fused}
        self._share()

    def _share(self) -> None:
        """Let the parts read and change the groups and the state of the whole."""
        for part, places in self.parts:
            part.param_groups = [self.param_groups[place] for place in places]
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take a step of every part; returns the loss of the closure, if any."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for part, _ in self.parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of all parts."""
        super().load_state_dict(state_dict)
        self._share()

    @property
    def found_inf(self) -> Tensor | None:
        """The flag that makes fused optimizers skip a step, if there is one."""
        return getattr(self.parts[0][0], "found_inf", None)

    @found_inf.setter
    def found_inf(self, flag: Tensor) -> None:
        for part, _ in self.parts:
            part.found_inf = flag  # type: ignore[attr-defined]
