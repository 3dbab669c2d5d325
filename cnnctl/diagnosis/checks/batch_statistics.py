"""Batch norm with tiny batches."""

from __future__ import annotations

from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.verification.finding import Finding

FEWEST = 8


class BatchStatistics(Check):
    """The statistics of a few samples are noise, which the running ones then have, too."""

    name = "batch statistics"
    threshold = f"batch norm on batches of fewer than {FEWEST} samples"
    when: ClassVar[When] = "after training"  # before, it is advice on the experiment
    source = "Wu and He 2018, group normalization, figure 1"

    def find(self, facts: Facts) -> Finding:
        size, mixing = facts.experiment.data.batch_size, facts.mixing
        if not mixing:
            return fine("no layer depends on the other samples of a batch")
        samples = facts.batch_samples
        figure = f"{mixing[0]} has {samples:,} samples a batch"
        if samples >= FEWEST:
            return fine(figure, {"samples": samples})
        hint = f"use data.batch_size >= {FEWEST} (now {size}), or group_norm"
        return warning(figure, hint, {"samples": samples}, named=tuple(mixing))
