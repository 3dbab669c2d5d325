"""From a checked experiment to what is reported of its network."""

from __future__ import annotations

from cnnctl.experiment import Loaded
from cnnctl.inspection.gathering import gather
from cnnctl.inspection.memory import device_memory, training_memory
from cnnctl.inspection.tables import Report


def report_on(loaded: Loaded, *, batch_size: int | None = None) -> Report:
    """Everything there is to say of an experiment's network, at its own batch size or another."""
    experiment, model = loaded.experiment, loaded.experiment.model
    size = batch_size or experiment.data.batch_size
    summary = gather(
        loaded.plan,
        batch_size=loaded.description.train_samples if size == "all" else size,
        freeze=model.freeze,
        unfreeze_at=model.unfreeze_at,
    )
    memory = training_memory(summary, experiment.optimizer)
    return Report(summary, memory, device_memory(experiment.train.device))
