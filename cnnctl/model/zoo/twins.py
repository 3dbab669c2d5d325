"""torchvision's networks that the zoo also has, by the names of their tensors.

Building all of them for their names takes seconds; tests compare the table next to this file with
them. Networks that differ only in shapes have the same names, and one of them stands for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path

TABLE = Path(__file__).with_suffix(".json")
"""The digest of the names, and the first network that has them."""


def twin_of(names: Iterable[str]) -> str | None:
    """The network whose tensors have these names, in whatever order; None if there is none.

    They exclude those of auxiliary heads and the counters of batch norms.
    """
    return _table().get(digest_of(names))


def digest_of(names: Iterable[str]) -> str:
    """A digest of names, in whatever order."""
    return blake2b("\n".join(sorted(names)).encode(), digest_size=16).hexdigest()


@cache
def _table() -> dict[str, str]:
    table: dict[str, str] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
