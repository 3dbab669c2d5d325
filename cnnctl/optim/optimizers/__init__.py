"""Optimizers: one class per kind, with the arguments of its torch.optim class.

A new optimizer is one class in one of these files.
"""

from cnnctl.optim.optimizers import adam, adaptive, momentum, orthogonal, quasi_newton
from cnnctl.optim.optimizers.optimizer import Group, Groups, Optimizer

__all__ = [
    "Group",
    "Groups",
    "Optimizer",
    "adam",
    "adaptive",
    "momentum",
    "orthogonal",
    "quasi_newton",
]
