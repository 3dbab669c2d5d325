"""Gathers the report on the network of a checked experiment."""

from __future__ import annotations

from cnnctl.experiment import Loaded, pixel_share
from cnnctl.inspection.memory import device_memory, training_memory
from cnnctl.inspection.rows import gather
from cnnctl.inspection.tables import Report, Unfrozen


def report_on(loaded: Loaded, *, batch_size: int | None = None) -> Report:
    """The full report on an experiment's network, by default at its own batch size."""
    experiment, model = loaded.experiment, loaded.experiment.model
    asked = batch_size or experiment.data.batch_size
    size = loaded.description.train_samples if asked == "all" else asked
    summary = gather(
        loaded.plan,
        batch_size=size,
        freeze=model.freeze,
        unfreeze_at=model.unfreeze_at,
        recompute=experiment.train.activation_checkpointing,
    )
    memory = training_memory(summary, experiment.optimizer)
    device = device_memory(experiment.train.device)
    return Report(summary, memory, device, _unfrozen(loaded, size), pixel_share(experiment))


def _unfrozen(loaded: Loaded, batch_size: int) -> Unfrozen | None:
    """What changes in the epoch that unfreezes layers; None if there is none."""
    epoch = loaded.experiment.model.unfreeze_at
    if epoch is None or not 1 < epoch <= loaded.experiment.train.epochs:
        return None
    recompute = loaded.experiment.train.activation_checkpointing
    summary = gather(loaded.plan, batch_size=batch_size, recompute=recompute)
    memory = training_memory(summary, loaded.experiment.optimizer)
    return Unfrozen(epoch, summary.trainable, memory)
