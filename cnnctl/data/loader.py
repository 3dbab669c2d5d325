"""Batches on the device: shuffled and augmented for training, in order for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import torch
from torch import Generator, Tensor

from cnnctl.data.augmentations import Augmentation, InputAugmentation, Mixing
from cnnctl.data.dataset import BatchSize
from cnnctl.data.normalization import WHITE, Normalize
from cnnctl.data.preparation import Prepared
from cnnctl.data.samples import Samples

Batch = tuple[Tensor, Tensor]
"""Inputs (B, C, H, W) or (B, F), float32 and normalised, and targets: (B,) classes, (B, classes)
probabilities, or (B, T) values, normalised."""


class DeviceStore:
    """Samples that live on the device as they are stored: images as bytes, vectors as float32.

    They lie there flat, (N, D), beside a factor and a summand for each of the D values, so that a
    batch is an index and one multiply-add; broadcasting the two over pixels takes twice as long.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        normalize: Normalize | None = None,
        device: torch.device,
        channels_last: bool = False,
    ) -> None:
        inputs, targets = samples.inputs, samples.targets
        self.device = device
        self.shape = inputs.shape[1:]
        self.channels_last = channels_last and inputs.ndim == 4
        factor, summand = _factor_and_summand(normalize, inputs)
        self.black = summand.to(device)
        """What normalisation makes of a black pixel, (C, 1, 1)."""
        self._inputs = self._flat(inputs).to(device)
        self._factor = self._flat(factor.expand(1, *self.shape)).to(device)
        self._summand = self._flat(summand.expand(1, *self.shape)).to(device)
        self._targets = targets.to(device)

    def __len__(self) -> int:
        return len(self._targets)

    def take(self, rows: Tensor) -> Batch:
        """The samples at these positions (B,), normalised."""
        stored = self._inputs.index_select(0, rows)
        inputs = torch.addcmul(self._summand, stored, self._factor)
        return self._shaped(inputs), self._targets.index_select(0, rows)

    def laid_out(self, inputs: Tensor) -> Tensor:
        """The same inputs, lying in memory as `take` gives them."""
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
    one of (seed, epoch, step). So a run may stop after any step and go on as if it had not.
    """

    def __init__(
        self,
        source: DeviceStore,
        *,
        batch_size: BatchSize,
        drop_last: bool = False,
        augment: Sequence[Augmentation] = (),
        classes: int = 0,
        seed: int = 0,
    ) -> None:
        self.source = source
        self.batch_size = len(source) if batch_size == "all" else batch_size
        self.drop_last = drop_last
        self.augment = augment
        self.classes = classes
        self.seed = seed

    def __len__(self) -> int:
        """Steps an epoch."""
        full, rest = divmod(len(self.source), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from step `start` on, shuffled and augmented."""
        shuffle = Generator().manual_seed(_seed("order", self.seed, number))
        order = torch.randperm(len(self.source), generator=shuffle).to(self.source.device)
        generator = Generator(self.source.device)
        for step, rows in enumerate(torch.split(order, self.batch_size)[start : len(self)], start):
            inputs, targets = self.source.take(rows)
            if self.augment:
                generator.manual_seed(_seed("augment", self.seed, number, step))
                inputs, targets = self._augmented(inputs, targets, generator)
            yield inputs, targets

    def in_order(self, *, batch_size: int | None = None) -> Iterator[Batch]:
        """All samples in their own order and as they are, in batches of this size."""
        order = torch.arange(len(self.source), device=self.source.device)
        for rows in torch.split(order, batch_size or self.batch_size):
            yield self.source.take(rows)

    def _augmented(self, inputs: Tensor, targets: Tensor, generator: Generator) -> Batch:
        if any(isinstance(each, Mixing) for each in self.augment):
            targets = probabilities(targets, classes=self.classes)
        for each in self.augment:
            if isinstance(each, Mixing):
                inputs, targets = each.mix(inputs, targets, generator=generator)
            elif isinstance(each, InputAugmentation):
                inputs = each.augment(inputs, black=self.source.black, generator=generator)
        return self.source.laid_out(inputs), targets


def training_batches(
    data: Prepared,
    *,
    seed: int,
    device: torch.device,
    channels_last: bool = False,
    targets: Sequence[str] = (),
) -> Batches:
    """The training split on the device, in the batches that its data set asks for.

    `targets` names several that stand side by side, (B, columns) float32; see
    `Samples.with_columns`.
    """
    spec = data.data
    return Batches(
        _resident(data, data.splits.train, device, channels_last, targets),
        batch_size=spec.batch_size,
        drop_last=spec.drop_last,
        augment=spec.augment,
        classes=spec.describe().outputs,
        seed=seed,
    )


def evaluation_batches(
    data: Prepared,
    samples: Samples,
    *,
    device: torch.device,
    channels_last: bool = False,
    targets: Sequence[str] = (),
) -> Batches:
    """Samples of any split on the device, in batches without augmentation."""
    source = _resident(data, samples, device, channels_last, targets)
    return Batches(source, batch_size=data.data.batch_size)


def probabilities(classes_of: Tensor, *, classes: int) -> Tensor:
    """(N,) classes as (N, classes) probabilities of 0 and 1."""
    zeros = torch.zeros(len(classes_of), classes, device=classes_of.device)
    return zeros.scatter_(1, classes_of[:, None], 1.0)


def _resident(
    data: Prepared,
    samples: Samples,
    device: torch.device,
    channels_last: bool,
    targets: Sequence[str],
) -> DeviceStore:
    units = data.normalize_targets
    if units is not None:
        samples = replace(samples, targets=units.apply(samples.targets))
    if targets:
        samples = samples.with_columns(targets, main=data.data.describe().target)
    return DeviceStore(
        samples,
        normalize=data.normalize,
        device=device,
        channels_last=channels_last,
    )


def _factor_and_summand(normalize: Normalize | None, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """What makes normalised inputs of stored ones, spread over channels or features."""
    channels = inputs.shape[1]
    mean, std = normalize.tensors() if normalize else (torch.zeros(channels), torch.ones(channels))
    spread = (channels, *[1] * (inputs.ndim - 2))
    largest = WHITE if inputs.dtype == torch.uint8 else 1
    return (1 / (std * largest)).view(spread), (-mean / std).view(spread)


def _seed(*parts: str | int) -> int:
    """One seed of several; neighbours have nothing in common."""
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
