"""The cost of each zoo network at its published input shape, from a table next to this file.

Computing all of them from the shapes takes 10 s; tests compare the table with that.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_suffix(".json")


class Costs(NamedTuple):
    """The cost for one sample."""

    input: tuple[int, ...]
    parameters: int
    multiply_adds: int


def costs_of(network: str) -> Costs:
    """What a network costs with its default options."""
    shape, parameters, multiply_adds = _table()[network]
    return Costs(tuple(shape), parameters, multiply_adds)


@cache
def _table() -> dict[str, tuple[list[int], int, int]]:
    table: dict[str, tuple[list[int], int, int]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
