"""The augmentations: one class each, next to the function that does its work.

A new augmentation is one class in one of these files.
"""

from cnnctl.data.augmentation import Augmentation, Context, InputAugmentation, Mixing
from cnnctl.data.augmentations import (
    boxes,
    colors,
    filters,
    mixing,
    places,
    policies,
    values,
    warps,
)

__all__ = [
    "Augmentation",
    "Context",
    "InputAugmentation",
    "Mixing",
    "boxes",
    "colors",
    "filters",
    "mixing",
    "places",
    "policies",
    "values",
    "warps",
]
