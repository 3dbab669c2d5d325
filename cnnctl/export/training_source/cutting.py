"""Cuts into splits as code: drawn again as cnnctl draws them, or written out."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

import numpy as np

from cnnctl.data.division import hold_out
from cnnctl.data.splits import Positions
from cnnctl.errors import config_fault
from cnnctl.export.training_source.layout import WIDTH, literal

BY_CLASS = '''
import numpy as np
import torch
from torch import Tensor


def hold_out(classes: Tensor, counts: list[int], *, seed: int) -> Tensor:
    """Which samples are held out, drawn at random: so many of each class."""
    random = np.random.RandomState(np.random.MT19937(seed))
    order = torch.from_numpy(random.permutation(len(classes)))
    drawn = [order[classes[order] == c][:count] for c, count in enumerate(counts)]
    return torch.isin(torch.arange(len(classes)), torch.cat(drawn))
'''
OF_ALL = '''
import numpy as np
import torch
from torch import Tensor


def hold_out(samples: int, count: int, *, seed: int) -> Tensor:
    """Which samples are held out, drawn at random."""
    random = np.random.RandomState(np.random.MT19937(seed))
    drawn = torch.from_numpy(random.permutation(samples)[:count])
    return torch.isin(torch.arange(samples), drawn)
'''
MOST_WRITTEN = 5000
"""Positions that a script holds."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which samples are held out, as code."""

    code: str
    """An expression, (N,) bool."""
    constant: str = ""
    """A constant that it needs."""

    @property
    def is_drawn(self) -> bool:
        """Whether it needs `hold_out`."""
        return self.code.startswith("hold_out(")


def cut_source(
    positions: Positions,
    *,
    count: int,
    classes: Positions | None,
    outputs: int,
    seed: tuple[int, str],
    name: str,
    targets: str = "targets",
) -> Cut:
    """The cut that holds out these positions of so many samples.

    Args:
        classes: their classes, (N,), if they have some.
        outputs: the number of classes.
        seed: that of the experiment, or 0, and how it is written.
        name: the constant for a cut that is not drawn.
        targets: the variable with the main targets of all samples.

    Raises:
        FaultError: it is not drawn, and too long to write out.
    """
    drawn = hold_out(count, held_out=len(positions), seed=seed[0], classes=classes)[1]
    if np.array_equal(drawn, positions):
        if classes is None:
            return Cut(f"hold_out(len({targets}), {len(positions)}, seed={seed[1]})")
        counts = np.bincount(classes[positions], minlength=outputs).tolist()
        return Cut(f"hold_out({targets}, {literal(counts)}, seed={seed[1]})")
    first, last = int(positions[0]), int(positions[-1])
    if last - first + 1 == len(positions):
        return Cut(_among(targets, f"torch.arange({first}, {last + 1})"))
    if len(positions) > MOST_WRITTEN:
        message = f"a training script would list {len(positions):,} samples for {name.lower()}"
        raise config_fault(message, hint="cut at random, or leave out --training", path=("data",))
    lines = wrap(", ".join(map(str, positions.tolist())) + ",", WIDTH - 4)
    numbers = "\n".join(f"    {line}" for line in lines)
    constant = f"# fmt: off\n{name} = [  # positions of its samples\n{numbers}\n]\n# fmt: on"
    return Cut(_among(targets, f"torch.tensor({name})"), constant)


def _among(targets: str, chosen: str) -> str:
    """Which positions of all samples are among those that are chosen."""
    return f"torch.isin(torch.arange(len({targets})), {chosen})"
