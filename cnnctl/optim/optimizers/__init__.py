"""Optimizers: one class per kind, with the arguments of its torch.optim class.

A new optimizer is one class in one of these files.
"""

from cnnctl.optim.optimizers import adam, adaptive, momentum, quasi_newton
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer

__all__ = ["Groups", "Optimizer", "adam", "adaptive", "momentum", "quasi_newton"]
