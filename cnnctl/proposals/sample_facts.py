"""What is found in arrays and in long tables: samples of one shape, and their targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.sample_set import SampleSet
from cnnctl.data.sample_targets import Task
from cnnctl.data.samples import Samples
from cnnctl.proposals.heads import heads_of
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import imbalance_of, validation_share
from cnnctl.proposals.target_report import about_targets
from cnnctl.proposals.vector_learning import FEW

COMPARED_BYTES = 2 * 10**9
"""Bytes of samples to compare; of more, an even sample is compared."""
CHUNK = 2**24
"""Bytes to take at a time."""


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """Samples of one shape, and how an experiment sees them."""

    source: Path
    data: SampleSet
    """Surveyed: task, classes, shape and the size of the splits."""
    counts: Mapping[str, Counter[str]]
    """Samples of each class, or with each label, by stored split; empty for values."""
    values: tuple[float, float]
    """The smallest and the largest target in training, of values."""
    constant: Sequence[int]
    """Features, or channels of signals, that are constant in training."""
    copies: int
    """Samples that are equal to an earlier one, among those that were compared."""
    torn: int
    """Samples for testing that are equal to one for training."""
    compared: int
    given: frozenset[str]
    """The splits that the source has itself."""
    heads: Mapping[str, Lesson]
    """What the head of each of several targets learns, if all samples are for training."""
    about: Sequence[str]
    """Lines on each of several targets."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample: (F,), (C, L) or (C, H, W)."""
        return tuple(self.data.shape)

    @property
    def task(self) -> Task:
        """What is to be predicted; of several targets, the first."""
        return next(iter(self.data.target_columns.values())).task

    @property
    def class_counts(self) -> Mapping[str, int]:
        """Samples of each class for training; empty unless there is one target, of classes."""
        is_class = self.task == "classification" and not self.heads
        return self.counts["train"] if is_class else {}

    @property
    def imbalance(self) -> float:
        """How many times larger the largest class is than the smallest."""
        return imbalance_of(self.class_counts)

    @property
    def rows(self) -> int:
        """Samples that are not for testing."""
        return self.data.known_samples.train + self.data.known_samples.validation

    @property
    def is_few(self) -> bool:
        """Whether there are so few vectors that only a linear model can be learned."""
        return len(self.shape) == 1 and self.rows < FEW

    @property
    def validation(self) -> float | None:
        """The share to hold out for validation; None where there is such a split."""
        if "validation" in self.given:
            return None
        return 0 if self.is_few else validation_share(self.rows)

    @property
    def lesson(self) -> Lesson:
        """What is to be learned."""
        data, share = self.data, self.validation
        held = data.known_samples.validation if share is None else round(self.rows * share)
        outputs = data.described_targets()[0].outputs
        return Lesson(self.rows - held, self.task, outputs, self.class_counts, self.heads)


def gather(source: Path, data: SampleSet) -> SampleFacts:
    """Look at all samples of a dataset.

    Raises:
        FaultError: they cannot be read, are not finite, or leave nothing to learn.
    """
    known = data.surveyed(Path(), seed=0)
    has_test = known.known_samples.test > 0
    splits: list[StoredSplit] = ["train", "test"] if has_test else ["train"]
    samples = {split: known.load(split, root=Path()) for split in splits}
    targets = samples["train"].targets
    copies, torn, compared = _compared(samples)
    source_of, heads, about = known.source(), dict[str, Lesson](), list[str]()
    if len(data.targets) > 1:
        kinds, all_targets = data.target_columns, known.read_targets(source_of)
        heads = heads_of(kinds, all_targets, samples=len(source_of))
        about = list(about_targets(kinds, all_targets, of="samples"))
    return SampleFacts(
        source,
        known,
        {split: _counts(known, each.targets) for split, each in samples.items()},
        (float(targets.min()), float(targets.max())),
        _constant(samples["train"]),
        copies,
        torn,
        compared,
        frozenset(filter(None, source_of.given())),
        heads,
        about,
    )


def _counts(data: SampleSet, targets: Tensor) -> Counter[str]:
    main = data.described_targets()[0]
    names, is_class = main.class_names, main.kind == "class"
    if not names:
        return Counter()
    found = targets.bincount(minlength=len(names)) if is_class else targets.sum(dim=0).long()
    pairs = zip(names, found.tolist(), strict=True)
    return Counter({name: count for name, count in pairs if count})


def _constant(samples: Samples) -> list[int]:
    """Positions of features or channels that have one value only; pixels are not looked at."""
    if len(samples.rows.shape) > 3:
        return []
    low = high = None
    for chunk in _chunks(samples, step=1):
        own = chunk if chunk.ndim == 2 else chunk.movedim(1, -1).flatten(0, 1)
        least, most = own.amin(dim=0), own.amax(dim=0)
        low = least if low is None else torch.minimum(low, least)
        high = most if high is None else torch.maximum(high, most)
    assert low is not None and high is not None  # as there are samples
    return (low == high).nonzero().flatten().tolist()


def _compared(samples: Mapping[StoredSplit, Samples]) -> tuple[int, int, int]:
    """How many samples equal an earlier one, equal one of another split, and were compared."""
    size = sum(prod(each.rows.shape) * each.rows.dtype.itemsize for each in samples.values())
    step = max(1, -(-size // COMPARED_BYTES))
    seen: dict[bytes, StoredSplit] = {}
    copies = torn = compared = 0
    for split, each in samples.items():
        for chunk in _chunks(each, step=step):
            for row in chunk.numpy():
                digest = sha256(row.tobytes()).digest()
                copies += digest in seen
                torn += seen.setdefault(digest, split) != split
                compared += 1
    return copies, torn, compared


def _chunks(samples: Samples, *, step: int) -> Iterator[Tensor]:
    """Every `step`-th sample, in chunks of CHUNK bytes."""
    rows = samples.rows
    together = max(1, CHUNK // max(1, prod(rows.shape[1:]) * rows.dtype.itemsize))
    positions = torch.arange(0, len(samples), step)
    for start in range(0, len(positions), together):
        yield rows.take(positions[start : start + together])
