"""Batches on the device: shuffled and augmented for training, in order for evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation, Mixing
from cnnctl.data.dataset import BatchSize, DataSet
from cnnctl.data.normalization import Levels
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.progressive_resizing import SizeOf, resized
from cnnctl.data.rows import TensorRows
from cnnctl.data.samples import Samples, Split
from cnnctl.data.sampling import ShardOrder, balanced_order
from cnnctl.target import likeliest

Batch = tuple[Tensor, Tensor]
"""Inputs (B, C, H, W) or (B, F), float32 and normalised, and targets: (B,) classes, (B, classes)
probabilities, (B, L) labels from 0 to 1, or (B, T) values, normalised."""
RAW = Preprocessing()
"""Pixels from 0 to 1, all else as it is."""
SPREAD = 250
"""Samples of a part of `Batches.spread`."""
AHEAD = 2
"""Batches, at least, that are read from rows outside memory while another is learned from."""


class DeviceStore:
    """Stored samples, images as uint8, vectors as float32: on the device, or memory-mapped.

    They are flat, (N, D), with a factor and a summand for each of the D values, so that a batch
    takes one indexing and one multiply-add; broadcasting the two over pixels takes twice as long.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        preprocessing: Preprocessing = RAW,
        device: torch.device,
        channels_last: bool = False,
    ) -> None:
        rows = samples.rows
        self.device = device
        self.shape = rows.shape[1:]
        self.channels_last = channels_last and rows.ndim == 4
        parts = preprocessing.factor_and_summand(rows.ndim, self.shape[0], rows.dtype)
        self._factor, self._summand = (
            self._flat(p.expand(1, *self.shape)).to(device) for p in parts
        )
        self._preprocessing = preprocessing
        self._rows = rows.changed(self._flat).to(device)
        self._targets = samples.targets.to(device)

    @cached_property
    def levels(self) -> Levels:
        """The normalised values of black and white pixels, (C, 1, 1) each, on the device."""
        batch_ndim = 1 + len(self.shape)
        return self._preprocessing.levels(batch_ndim, self.shape[0]).to(self.device)

    @classmethod
    def of(
        cls,
        data: DataSet,
        samples: Samples,
        *,
        device: torch.device,
        channels_last: bool = False,
        targets: Sequence[str] = (),
    ) -> DeviceStore:
        """Samples of a dataset with known statistics.

        `targets` names several targets to concatenate, (B, columns) float32; see
        `Samples.with_columns`.
        """
        preprocessing = Preprocessing.of(data)
        main = data.whole().target
        samples = replace(
            samples,
            targets=preprocessing.targets(samples.targets, name=main),
            others={
                name: preprocessing.targets(values, name=name)
                for name, values in samples.others.items()
            },
        )
        if targets:
            samples = samples.with_columns(targets, main=main)
        return cls(samples, preprocessing=preprocessing, device=device, channels_last=channels_last)

    def __len__(self) -> int:
        return len(self._targets)

    def take(self, rows: Tensor) -> Batch:
        """The samples at these positions (B,), normalised."""
        return self._normalized(rows, self._rows.take(rows))

    def targets(self, rows: Tensor) -> Tensor:
        """The targets at these positions (B,), without reading their inputs."""
        return self._targets.index_select(0, rows)

    def take_each(self, parts: Iterable[Tensor]) -> Iterator[Batch]:
        """`take` for each of several parts; others than those in memory are read ahead."""
        if isinstance(self._rows, TensorRows):
            yield from map(self.take, parts)
            return
        readers = self._rows.readers
        with ThreadPoolExecutor(readers) as reader:
            waiting = deque[tuple[Tensor, Future[Tensor]]]()
            for rows in parts:
                waiting.append((rows, reader.submit(self._rows.take, rows)))
                if len(waiting) > max(AHEAD, readers):
                    ready, stored = waiting.popleft()
                    yield self._normalized(ready, stored.result())
            for ready, stored in waiting:
                yield self._normalized(ready, stored.result())

    def _normalized(self, rows: Tensor, stored: Tensor) -> Batch:
        # on a CPU, casting in the same operation takes twice as long; without a cast it is a copy
        inputs = stored.to(self._factor.dtype)
        inputs = torch.addcmul(self._summand, inputs, self._factor, out=inputs)
        return self._shaped(inputs), self.targets(rows)

    def laid_out(self, inputs: Tensor) -> Tensor:
        """The same inputs in the memory format of `take`."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return inputs.contiguous(memory_format=layout)

    def _flat(self, inputs: Tensor) -> Tensor:
        return (inputs.permute(0, 2, 3, 1) if self.channels_last else inputs).flatten(1)

    def _shaped(self, flat: Tensor) -> Tensor:
        if not self.channels_last:
            return flat.view(-1, *self.shape)
        channels, height, width = self.shape
        return flat.view(-1, height, width, channels).permute(0, 3, 1, 2)


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
