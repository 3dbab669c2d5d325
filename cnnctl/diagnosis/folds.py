"""Cross-validation: every training sample is answered for by a network that has not seen it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from cnnctl.checkpoint import load_weights
from cnnctl.data.loader import Batches
from cnnctl.data.samples import Split
from cnnctl.diagnosis.wrong_labels import Answers
from cnnctl.errors import data_fault
from cnnctl.prediction.outputs import block_size, collect_outputs
from cnnctl.run_files import EpochMetrics
from cnnctl.training.observers import Observer
from cnnctl.training.setup import Setup, SplitBatches
from cnnctl.training.training import Training


def cross_validated(setup: Setup, folds: int, *, advance: Callable[[int], object]) -> Answers:
    """Train a network on all but each part of the training split, and ask it for that part.

    Parts are stratified by class. Each network trains as the experiment says, and is as good as
    its best epoch; nothing is kept. `advance` is told of every epoch.

    Raises:
        FaultError: there are fewer samples than folds, a loss is not finite, or memory runs out.
    """
    train = setup.splits.train
    if len(train) < 2 * folds:
        message = f"{len(train):,} training samples are too few for {folds} folds"
        raise data_fault(message, hint="use fewer, or --split test")
    parts = _parts(train, folds, seed=setup.experiment.seed)
    outputs = targets = None
    with setup.memory_faults():
        for part in range(folds):
            own = (parts == part).nonzero()[:, 0]
            found, wanted = _answered(setup, own, advance)
            if outputs is None or targets is None:
                outputs = found.new_empty(len(train), *found.shape[1:])
                targets = wanted.new_empty(len(train), *wanted.shape[1:])
            outputs[own], targets[own] = found, wanted
    assert outputs is not None
    assert targets is not None
    tasks = [task for task in setup.loaded.tasks if not task.is_auxiliary]
    return Answers("train", train, setup.batches.train, tasks, outputs, targets, folds)


def _parts(train: Split, folds: int, *, seed: int) -> Tensor:
    """The part of each sample, (N,): the classes are dealt out to the parts like cards."""
    order = torch.randperm(len(train), generator=Generator().manual_seed(seed))
    if train.targets.ndim == 1:
        order = order[train.targets[order].argsort(stable=True)]
    return torch.empty_like(order).index_copy_(0, order, torch.arange(len(train)) % folds)


def _answered(setup: Setup, own: Tensor, advance: Callable[[int], object]) -> tuple[Tensor, Tensor]:
    """The outputs and targets of these samples, by a network trained on all others."""
    whole = setup.batches.train
    is_kept = torch.ones(len(whole.positions), dtype=torch.bool).index_fill(0, own, False)
    train = _some(whole, is_kept.nonzero()[:, 0])
    fold = replace(setup, batches=SplitBatches(train, setup.batches.validation, None))
    training = Training.of(fold.with_compile(False), observers=[_Advancing(advance)])
    training.begin()
    training.fit()
    run = training.run
    load_weights(run.evaluated, training.store.best_weights())
    size = block_size(run.plan, run.device)
    in_order = _some(whole, own).in_order(batch_size=size, filled=True)
    return collect_outputs(run.evaluated, in_order, precision=run.experiment.train.precision)


def _some(batches: Batches, own: Tensor) -> Batches:
    """Batches of some of the samples, by their positions in the split."""
    return Batches(
        batches.source,
        positions=batches.positions.cpu()[own],
        batch_size=min(batches.batch_size, len(own)),
        drop_last=batches.drop_last,
        augment=batches.augment,
        classes=batches.classes,
        balance=None if batches.balance is None else batches.balance[own],
        seed=batches.seed,
        size_of=batches.size_of,
    )


class _Advancing(Observer):
    """Tells of every epoch."""

    def __init__(self, advance: Callable[[int], object]) -> None:
        self._advance = advance

    def epoch_ended(self, row: EpochMetrics) -> None:
        self._advance(1)
