"""Batches on the device: shuffled and augmented for training, in order for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation, Mixing
from cnnctl.data.dataset import BatchSize, DataSet
from cnnctl.data.device_store import Batch, DeviceStore
from cnnctl.data.progressive_resizing import SizeOf, resized
from cnnctl.data.samples import Split
from cnnctl.data.sampling import ShardOrder, balanced_order
from cnnctl.target import likeliest

SPREAD = 250
"""Samples of a part of `Batches.spread`."""


class Batches:
    """A split in batches.

    The order of an epoch is a function of (seed, epoch), the same on every device; augmentation is
    one of (seed, epoch, step, rank). Therefore a run can be resumed exactly after any step.
    """

    def __init__(
        self,
        source: DeviceStore,
        *,
        positions: Tensor | None = None,
        batch_size: BatchSize,
        drop_last: bool = False,
        augment: Sequence[Augmentation] = (),
        classes: int = 0,
        balance: Tensor | None = None,
        shards: ShardOrder | None = None,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        size_of: SizeOf | None = None,
    ) -> None:
        """Of every batch, this rank has every `ranks`-th sample; their numbers differ by one."""
        self.source = source
        own = torch.arange(len(source)) if positions is None else positions
        self.positions = own.to(source.device)
        """Positions of its samples in `source`, (N,)."""
        self.batch_size = len(own) if batch_size == "all" else batch_size
        self.drop_last = drop_last
        self.augment = augment
        self.classes = classes
        self.balance = balance
        """The class of each of its samples, (N,), where all classes are to come equally often."""
        self.shards = shards
        """How its samples are shuffled, where those of a shard are to stay close."""
        self.seed = seed
        self.rank, self.ranks = rank, ranks
        self.size_of = size_of
        """The height and width of the images of an epoch, if not those of `source`."""

    def __len__(self) -> int:
        """Steps per epoch."""
        full, rest = divmod(len(self.positions), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, starting at step `start`, shuffled and augmented."""
        generator = Generator(self.source.device)
        parts = self.rows(number, start=start)
        kept = combined_seed("augment", self.seed)
        taken = zip(parts, self.source.take_each(parts), strict=True)
        for step, (rows, batch) in enumerate(taken, start):
            if self.augment and len(rows):
                place = (number, step, self.rank) if self.rank else (number, step)
                generator.manual_seed(combined_seed("augment", self.seed, *place))
                context = Context(self.source.levels, generator, rows, epoch=number, seed=kept)
                yield self._resized(*self._augmented(*batch, context), epoch=number)
            else:
                yield self._resized(*batch, epoch=number)

    def rows(self, number: int, *, start: int = 0) -> Sequence[Tensor]:
        """Positions in `source` of the samples of each of these batches, (B,)."""
        whole = torch.split(self.order(number), self.batch_size)[start : len(self)]
        return [batch[self.rank :: self.ranks] for batch in whole]

    def in_order(
        self,
        *,
        batch_size: int | None = None,
        filled: bool = False,
        rank: int = 0,
        ranks: int = 1,
    ) -> Iterator[Batch]:
        """All samples in their own order and not augmented, in batches of this size.

        Of several ranks, each gets every `ranks`-th batch. With `filled`, inputs always are of
        this size; those beyond the targets are only company.
        """
        size = batch_size or self.batch_size
        parts = torch.split(self.positions, size)[rank::ranks]
        padded = (functional.pad(rows, (0, size - len(rows) if filled else 0)) for rows in parts)
        for rows, (inputs, targets) in zip(parts, self.source.take_each(padded), strict=True):
            yield inputs, targets[: len(rows)]

    def spread(self, count: int) -> Iterator[Batch]:
        """So many samples at most, evenly spread and not augmented, in parts."""
        count = min(count, len(self.positions))
        chosen = torch.arange(count, device=self.positions.device) * len(self.positions) // count
        yield from self.source.take_each(torch.split(self.positions[chosen], SPREAD))

    def order(self, number: int) -> Tensor:
        """Positions in `source` of the samples of an epoch, shuffled, (N,)."""
        return self.positions.index_select(0, self._order(number).to(self.source.device))

    def _order(self, epoch: int) -> Tensor:
        shuffle = Generator().manual_seed(combined_seed("order", self.seed, epoch))
        if self.balance is not None:
            return balanced_order(self.balance, generator=shuffle)
        if self.shards is not None:
            return self.shards.shuffled(shuffle)
        return torch.randperm(len(self.positions), generator=shuffle)

    def _resized(self, inputs: Tensor, targets: Tensor, *, epoch: int) -> Batch:
        if self.size_of is not None:
            inputs = self.source.laid_out(resized(inputs, self.size_of(epoch)))
        return inputs, targets

    def _augmented(self, inputs: Tensor, targets: Tensor, context: Context) -> Batch:
        is_mixed = any(isinstance(each, Mixing) for each in self.augment)
        if is_mixed and not targets.is_floating_point():
            targets = probabilities(targets, classes=self.classes)
        for each in self.augment:
            if isinstance(each, Mixing):
                inputs, targets = each.mix(inputs, targets, generator=context.generator)
            elif isinstance(each, InputAugmentation):
                inputs = each.augment(inputs, context)
        return self.source.laid_out(inputs), targets


def training_batches(
    data: DataSet,
    store: DeviceStore,
    split: Split,
    *,
    seed: int,
    rank: int = 0,
    ranks: int = 1,
    size_of: SizeOf | None = None,
) -> Batches:
    """A split in batches of the dataset's batch size; `store` has its samples."""
    order = split.samples.order
    return Batches(
        store,
        positions=split.positions,
        batch_size=data.batch_size,
        drop_last=data.drop_last,
        augment=data.augment,
        classes=data.whole().outputs,
        balance=likeliest(split.targets) if data.sampler == "balanced" else None,
        shards=order.at(split.positions) if order else None,
        seed=seed,
        rank=rank,
        ranks=ranks,
        size_of=size_of,
    )


def evaluation_batches(data: DataSet, store: DeviceStore, split: Split) -> Batches:
    """A split in batches without augmentation; `store` has its samples."""
    return Batches(store, positions=split.positions, batch_size=data.batch_size)


def probabilities(classes_of: Tensor, *, classes: int) -> Tensor:
    """(N,) classes as (N, classes) probabilities of 0 and 1."""
    zeros = torch.zeros(len(classes_of), classes, device=classes_of.device)
    return zeros.scatter_(1, classes_of[:, None], 1.0)


def combined_seed(*parts: str | int) -> int:
    """Combine several numbers into one seed; similar inputs give unrelated seeds."""
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
