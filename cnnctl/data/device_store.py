"""Stored samples on the device, or read from where they are: batches by position."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import Levels
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.residence import machine_memory
from cnnctl.data.rows import Rows, TensorRows
from cnnctl.data.samples import Samples

Batch = tuple[Tensor, Tensor]
"""Inputs (B, C, H, W) or (B, F), float32 and normalised, and targets: (B,) classes, (B, classes)
probabilities, (B, L) labels from 0 to 1, or (B, T) values, normalised."""
RAW = Preprocessing()
"""Pixels from 0 to 1, all else as it is."""
MOST_NORMALIZED, NORMALIZED_SHARE = 2**28, 16
"""Bytes of normalised samples that a CPU keeps, and the part of its memory that they take, at most:
an MLP for MNIST then trains 1.05 times as fast."""
AHEAD = 2
"""Batches, at least, that are read from rows outside memory while another is learned from."""


class DeviceStore:
    """Stored samples, images as uint8, vectors as float32: on the device, or memory-mapped.

    They are flat, (N, D), with a factor and a summand for each of the D values, so that a batch
    takes one indexing and one multiply-add; broadcasting the two over pixels takes twice as long.
    Samples that are kept normalised take the indexing alone.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        preprocessing: Preprocessing = RAW,
        device: torch.device,
        channels_last: bool = False,
        normalized: bool = False,
    ) -> None:
        """With `normalized`, samples in memory are kept as float32; batches have the same bits."""
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
        self._is_normalized = normalized and isinstance(rows, TensorRows)
        if self._is_normalized:
            self._rows = self._all_normalized()
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
        normalized: bool = False,
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
        return cls(
            samples,
            preprocessing=preprocessing,
            device=device,
            channels_last=channels_last,
            normalized=normalized,
        )

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
        inputs = stored if self._is_normalized else self._normalize(stored)
        return self._shaped(inputs), self.targets(rows)

    def _normalize(self, stored: Tensor) -> Tensor:
        # on a CPU, casting in the same operation takes twice as long; without a cast it is a copy
        inputs = stored.to(self._factor.dtype)
        return torch.addcmul(self._summand, inputs, self._factor, out=inputs)

    def _all_normalized(self) -> Rows:
        whole = torch.empty(self._rows.shape, dtype=self._factor.dtype, device=self.device)
        begin = 0
        for chunk in self._rows.chunks():
            whole[begin : begin + len(chunk)] = self._normalize(chunk)
            begin += len(chunk)
        return TensorRows(whole)

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


def keeps_normalized(shape: Sequence[int], device: torch.device) -> bool:
    """Whether samples in memory, (N, …), are kept normalised for training.

    They are on a CPU, if they are not too many: a GPU normalises a batch in no time.
    """
    most = min(MOST_NORMALIZED, machine_memory() // NORMALIZED_SHARE)
    return device.type == "cpu" and 4 * prod(shape) <= most
