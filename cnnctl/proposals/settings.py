"""Settings that depend on no kind of source: the path, the splits, and the weights of classes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cnnctl.errors import data_fault
from cnnctl.proposals.document import Setting

HELD_OUT = 0.15
"""Share for testing, where there is no test split."""
IMBALANCED = 3
"""Ratio of the largest class to the smallest from which classes are weighted."""
WRITTEN = "Written by `cnnctl init`; each comment is the reason for its line."


def path_setting(source: Path, *, folder: Path, option: str = "data.path") -> Setting:
    """The path of a source as a file in this folder names it.

    Raises:
        FaultError: no config can name it.
    """
    path = os.path.relpath(source.resolve(), folder.resolve())
    try:
        path.encode()
    except UnicodeEncodeError:
        message = "its path is not UTF-8, so no config can name it"
        raise data_fault(message, hint="rename it", place=str(source)) from None
    return Setting(option, path, "relative to this file")


def validation_share(samples: int) -> float:
    """The share to hold out: AutoGluon's rule, but never below the 0.1 of the datasets here."""
    return round(max(0.1, min(0.2, 500 / samples)), 2)


def imbalance_of(counts: Mapping[str, int]) -> float:
    """How many times larger the largest class is than the smallest; 1 without classes."""
    return max(counts.values()) / min(counts.values()) if counts else 1.0


def loss_of(task: str, imbalance: float, *, of: str) -> Setting:
    """The loss of a task, with weights where the balance of the classes asks for them.

    of: what classes consist of, in the plural.
    """
    if task == "regression":
        return Setting("loss", "mse", "for values")
    if task == "multilabel":
        return Setting("loss", "bce_with_logits", "each label on its own")
    if imbalance > IMBALANCED:
        reason = f"the largest class has {imbalance:,.1f} times as many {of} as the smallest"
        return Setting("loss", {"name": "cross_entropy", "weight": "balanced"}, reason)
    return Setting("loss", "cross_entropy", "no class is much larger than the others")


def balanced_monitor(imbalance: float) -> list[Setting]:
    """The metric that selects the best epoch, where classes are weighted."""
    if imbalance > IMBALANCED:
        return [Setting("train.monitor", "balanced_accuracy", "all classes count equally")]
    return []
