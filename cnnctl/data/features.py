"""The features of vectors, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: its name, and how stored values relate to those that users know.

    A stored value times `scale` plus `offset` is in the units of the user's data.
    """

    name: str
    offset: float = 0.0
    scale: float = 1.0
