"""The parts of a batch that ranks get: whether each can be trained on."""

from __future__ import annotations

from dataclasses import replace

from cnnctl.errors import FaultError, config_fault
from cnnctl.experiment import Experiment
from cnnctl.model.network import NetworkPlan, needing_company
from cnnctl.world import World


def check_parts(plan: NetworkPlan, experiment: Experiment, samples: int, world: World) -> None:
    """Check that every batch of so many samples can be divided among the ranks.

    Raises:
        FaultError: a batch has fewer samples than there are ranks; or a rank gets one sample,
            which a batch norm cannot train on; or a network with synchronised ones is compiled.
    """
    if world.size == 1:
        return
    data, ranks = experiment.data, world.size
    batch = samples if data.batch_size == "all" else min(data.batch_size, samples)
    if batch < ranks:
        message = f"a batch of {batch} samples cannot be divided among {ranks} ranks"
        hint = f"use data.batch_size >= {ranks}, or fewer ranks"
        raise config_fault(message, hint=hint, path=("data", "batch_size"))
    last = 0 if data.drop_last else samples % batch
    if experiment.train.sync_batch_norm:
        _check_synchronized(experiment, last, ranks)
        return
    smallest = [size // ranks or 1 for size in (batch, last) if size]
    if 1 in smallest and (faults := needing_company(plan)):
        which = (
            f"the last batch has {last}" if last and last < 2 * ranks else f"a batch has {batch}"
        )
        hint = f"{which} samples for {ranks} ranks; use train.sync_batch_norm or data.drop_last"
        raise FaultError(*(replace(fault, hint=hint) for fault in faults))


def _check_synchronized(experiment: Experiment, last: int, ranks: int) -> None:
    option = ("train", "sync_batch_norm")
    if 0 < last < ranks:
        message = f"the last batch has {last} samples, fewer than {ranks} ranks"
        raise config_fault(message, hint="set data.drop_last=true", path=option)
    if isinstance(experiment.train.micro_batch_size, int):
        message = "micro-batches would have statistics of their own"
        raise config_fault(message, hint="leave out train.micro_batch_size", path=option)
    if experiment.train.compile:
        message = "several ranks do not compile a network with it"
        raise config_fault(message, hint="set train.compile=false, or leave it out", path=option)
