"""Whether all ranks are about to train the same: compared before the first step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import torch

from cnnctl.data.samples import Split
from cnnctl.errors import Fault, FaultError, dotted
from cnnctl.experiment import Experiment
from cnnctl.training.resuming import differences
from cnnctl.version import __version__
from cnnctl.world import World

COMPARED = 256
"""Samples whose inputs are compared, evenly spread; of all others, targets and statistics are."""
OF_THE_MACHINE = ("train", "threads")
"""An option that may differ between machines."""


def check_agreement(experiment: Experiment, training: Split, world: World) -> None:
    """Compare experiment, data and versions of all ranks.

    Raises:
        FaultError: they differ; rank 0 says where and how.
    """
    if world.size == 1:
        return
    own = facts_of(experiment, training)
    digest = blake2b(json.dumps(own, sort_keys=True).encode()).hexdigest()
    if len(set(world.gather(digest))) == 1:
        return
    first, *others = world.gather(own)
    faults = [
        Fault(
            message=f"rank {rank} differs from rank 0: {what} is {theirs} there, {here} here",
            hint="give every rank the same config, data, cnnctl and torch",
        )
        for rank, facts in enumerate(others, 1)
        for what, theirs, here in _different(facts, first)
    ]
    assert faults, "facts with different hashes are different"
    raise FaultError(*(faults if world.is_first else ()))


def facts_of(experiment: Experiment, training: Split) -> dict[str, Any]:
    """What has to be the same on all ranks, as plain data."""
    plain = experiment.plain()
    section, option = OF_THE_MACHINE
    plain[section].pop(option)
    return {
        "experiment": plain,
        "cnnctl": __version__,
        "torch": torch.__version__,
        "the training data": digest_of(training),
    }


def digest_of(split: Split) -> str:
    """A hash of the targets of a split, and of some of its inputs."""
    spread = torch.linspace(0, len(split) - 1, min(COMPARED, len(split))).long()
    rows = split.samples.rows.take(split.positions[spread])
    digest = blake2b(digest_size=16)
    for tensor in (split.positions, split.targets, rows):
        digest.update(str(tensor.shape).encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _different(facts: dict[str, Any], first: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    # an `auto` is equal to nothing else here: all have been settled
    for path, (theirs, here) in differences(facts, first):
        of_experiment = path[0] == "experiment"
        yield dotted(path[1:]) if of_experiment else dotted(path), theirs, here
