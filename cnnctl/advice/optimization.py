"""Advice on the optimizer, and on batches."""

from __future__ import annotations

from math import ceil

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault

FEW_STEPS = 4
"""Steps per epoch below which a smaller batch would be better."""
SMALL_BATCH = 8
"""Samples below which batch statistics are too noisy (Wu and He 2018)."""


class UnusualRate(Check):
    """A learning rate outside the usual range of the optimizer."""

    def find(self, facts: Facts) -> Advice:
        optimizer = facts.experiment.optimizer
        low, high = optimizer.usual_lr
        if not low <= optimizer.lr <= high:
            message = f"{optimizer.lr:g} is outside the usual range of {optimizer.kind}"
            hint = f"try a rate from {low:g} to {high:g}"
            yield Fault(message=message, hint=hint, path=("optimizer", "lr"))


class RescaledL2(Check):
    """An l2 penalty under Adam (Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101)."""

    def find(self, facts: Facts) -> Advice:
        optimizer, l2 = facts.experiment.optimizer, facts.experiment.regularization.l2
        if l2 and optimizer.rescales_l2:
            message = f"{optimizer.kind} weakens l2 where gradients are large"
            better = optimizer.kind if optimizer.decouples_decay else "adamw"
            hint = f"use {better} with its weight_decay"
            yield Fault(message=message, hint=hint, path=("regularization", "l2"))


class BatchesOfAFullBatchMethod(Check):
    """L-BFGS on one batch after the other."""

    def find(self, facts: Facts) -> Advice:
        size, samples = facts.experiment.data.batch_size, facts.description.train_samples
        optimizer = facts.experiment.optimizer
        if optimizer.needs_full_batch and size != "all" and size < samples:
            message = (
                f"{optimizer.kind} compares gradients across steps, so all need the same batch"
            )
            path = ("data", "batch_size")
            yield Fault(message=message, hint="use batch_size: all", path=path)


class FewSteps(Check):
    """Batches so large that an epoch has only a few steps."""

    def find(self, facts: Facts) -> Advice:
        size, samples = facts.experiment.data.batch_size, facts.description.train_samples
        if size != "all" and ceil(samples / size) < FEW_STEPS:
            message = f"{samples} samples make only {ceil(samples / size)} batches of {size}"
            hint = f"use a batch_size <= {max(1, samples // FEW_STEPS)}, or all"
            yield Fault(message=message, hint=hint, path=("data", "batch_size"))


class NoisyStatistics(Check):
    """Batch norm on a few samples."""

    def find(self, facts: Facts) -> Advice:
        size = facts.experiment.data.batch_size
        norms = (leaf.layer.kind for leaf in facts.plan.leaves() if leaf.layer.mixes_samples)
        norm = next(norms, None)
        if norm and size != "all" and size < SMALL_BATCH:
            message = f"{norm} has noisy statistics with {size} samples a batch"
            hint = f"use a batch_size >= {SMALL_BATCH}, or group_norm"
            yield Fault(message=message, hint=hint, path=("data", "batch_size"))
