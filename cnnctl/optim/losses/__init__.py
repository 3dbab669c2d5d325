"""Losses: one class per kind, with the arguments of its torch.nn class.

A new loss is one class in one of these files.
"""

from cnnctl.optim.losses import binary, classes, values
from cnnctl.optim.losses.loss import Loss, Normalizer

__all__ = ["Loss", "Normalizer", "binary", "classes", "values"]
