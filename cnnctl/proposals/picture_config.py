"""From the facts of pictures to an experiment, with the reason for each setting."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from math import ceil, log2
from pathlib import Path
from typing import Any

from cnnctl.config.wording import times
from cnnctl.data.file_set import SampleCounts
from cnnctl.data.picture_set import MAX_SKIPPED, common_size
from cnnctl.data.pictures.decoding import Mode
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.proposals.budget import SMALL, Plan, plan
from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.picture_facts import ALL, PictureFacts
from cnnctl.proposals.settings import (
    HELD_OUT,
    WRITTEN,
    balanced_monitor,
    classification_loss,
    path_setting,
    validation_share,
)

FEW_PER_CLASS = 500
"""Pictures of a class below which augmentation is strong."""
SKIPPABLE = 0.2
"""Share of broken pictures up to which they are skipped."""
MOST_OF_A_SPLIT = 0.9
"""Share of a split that skipping may cost it."""
MOST_BATCH, LEAST_BATCH = 128, 8
STEPS = 16
"""Steps that an epoch should have at least."""
LR_PER_SAMPLE = 0.2 / 128
"""The peak rate grows with the batch (Goyal et al. 2017)."""
SIDED = {"left", "right", "east", "west"}
SPELLED = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
PREFIXES = {"digit", "number", "letter", "char", "character"}


def propose(facts: PictureFacts, *, folder: Path) -> str:
    """The experiment's file."""
    mode: Mode = "L" if set(facts.scan.modes) == {"L"} else "RGB"
    validation = _validation(facts)
    size = common_size(facts.scan.sizes)
    counts = _counts(facts, mode, size, validation)
    chosen = plan(
        size,
        1 if mode == "L" else 3,
        classes=len(facts.classes),
        samples=counts.train,
    )
    settings = [
        Setting("data.name", "image_folder"),
        path_setting(facts.source, folder=folder),
        *_form(facts, chosen.size, mode),
        *_splits(facts, counts, validation),
        *_broken(facts),
        *_batches(counts.train, may_shrink=bool(facts.scan.broken)),
        _augment(facts, chosen.size),
        *_learning(facts, counts.train, chosen),
    ]
    total = len(facts.records)
    title = [
        f"{facts.source.resolve().name}: {total:,} pictures in {len(facts.classes):,} classes.",
        WRITTEN,
    ]
    return document(title, settings)


def _validation(facts: PictureFacts) -> float | None:
    """The share to hold out for validation; None where there is such a split."""
    if "validation" in facts.counts:
        return None
    return validation_share(sum(facts.training.values()))


def _counts(
    facts: PictureFacts, mode: Mode, size: tuple[int, int], validation: float | None
) -> SampleCounts:
    """The number of pictures in each split, as training will find it."""
    options: dict[str, Any] = {} if validation is None else {"validation": validation}
    data = ImageFolder(path=str(facts.source), mode=mode, size=size, **options)
    counts = data.surveyed(Path(), seed=0).samples
    assert counts is not None  # which surveying counts
    return counts


def _form(facts: PictureFacts, size: tuple[int, int], mode: Mode) -> Iterator[Setting]:
    sizes = set(facts.scan.sizes)
    if sizes == {size}:
        reason = "the size of all pictures"
    elif len(sizes) == 1:
        reason = f"smaller than their {times(next(iter(sizes)))}, to train in time"
    else:
        reason = "pictures have several sizes; they are scaled and padded to this one"
    yield Setting("data.size", size[0] if len(set(size)) == 1 else list(size), reason)
    grey = facts.scan.modes["L"] / len(facts.scan.sizes)
    shares = {0.0: "all pictures are in colour", 1.0: "all pictures are grey"}
    yield Setting("data.mode", mode, shares.get(grey, f"{1 - grey:.0%} of them are in colour"))


def _splits(
    facts: PictureFacts, counts: SampleCounts, validation: float | None
) -> Iterator[Setting]:
    if validation is not None:
        reason = f"{counts.validation:,} pictures of train, to select the best epoch"
        yield Setting("data.validation", validation, reason)
    if ALL in facts.counts:
        yield Setting(
            "data.test", HELD_OUT, f"{counts.test:,} pictures held out, for `cnnctl eval`"
        )


def _broken(facts: PictureFacts) -> Iterator[Setting]:
    """Skip pictures that cannot be decoded, if they are few."""
    broken = facts.scan.broken
    worst = worst_share(facts)
    if broken and is_skipped(facts):
        yield Setting(
            "data.on_error", "skip", f"{counted(len(broken), 'picture')} cannot be decoded"
        )
        if worst > 0.04:
            share = ceil(100 * worst + 1) / 100
            yield Setting("data.max_skipped", share, "the share that may be skipped in a split")


def worst_share(facts: PictureFacts) -> float:
    """The largest share of broken pictures that a split can have, at most 1."""
    unread = len(facts.records) / facts.scan.read
    if ALL in facts.counts:  # all may be in the smaller part
        share = len(facts.scan.broken) / (HELD_OUT * len(facts.records))
    else:
        share = max(facts.broken_share("train", "validation"), facts.broken_share("test"))
    return min(1.0, share * unread)


def is_skipped(facts: PictureFacts) -> bool:
    """Whether the experiment skips broken pictures, rather than stopping at them."""
    broken, read = len(facts.scan.broken), facts.scan.read
    return (
        broken <= SKIPPABLE * read
        and broken * len(facts.records) <= MAX_SKIPPED * read
        and worst_share(facts) < MOST_OF_A_SPLIT
    )


def batch_size(samples: int) -> int | str:
    """A power of two that makes an epoch enough steps, or all samples."""
    if samples < 4 * LEAST_BATCH:
        return "all"
    return max(LEAST_BATCH, min(MOST_BATCH, 1 << int(log2(samples / STEPS))))


def _batches(samples: int, *, may_shrink: bool) -> Iterator[Setting]:
    size = batch_size(samples)
    steps = 1 if isinstance(size, str) else ceil(samples / size)
    reason = f"{samples:,} training pictures make {steps:,} steps an epoch"
    yield Setting("data.batch_size", size, reason)
    if not isinstance(size, str) and samples % size == 1:
        yield Setting(
            "data.drop_last", True, "batch norm cannot train on the one picture left over"
        )


def shows_sides(classes: Sequence[str]) -> str:
    """A class that mirroring may turn into another one; empty if there is none.

    Letters and digits, if half of the names are such, and names with left or right.
    """
    for name in classes:
        if SIDED & set(re.split(r"[\W_\d]+", name.lower())):
            return name
    characters = [name for name in classes if _is_character(name)]
    return characters[0] if 2 * len(characters) >= len(classes) else ""


def _is_character(name: str) -> bool:
    *before, word = re.split(r"[\W_]+", name.lower())
    if set(before) - PREFIXES:
        return False
    is_sign = len(word) == 1 and unicodedata.category(word) in ("Ll", "Lu", "Nd")
    return is_sign or word in SPELLED


def _augment(facts: PictureFacts, size: tuple[int, int]) -> Setting:
    few = sum(facts.training.values()) < FEW_PER_CLASS * len(facts.classes)
    if sided := shows_sides(facts.classes):
        shift: Any = {"affine": {"degrees": 10, "translate": [0.1, 0.1], "scale": [0.9, 1.1]}}
        reason = f"no mirroring: it could change what {sided} shows"
        return Setting("data.augment", [shift], reason)
    chosen: list[Any] = ["horizontal_flip"]
    if max(size) <= SMALL:
        chosen.append({"crop": max(1, min(size) // 8)})
    else:
        chosen.append({"random_resized_crop": [0.35, 1.0]})
    reason = "omit the flip if left and right matter"
    if few:
        chosen.append("trivial_augment_wide")
        reason = f"strong, for less than {FEW_PER_CLASS} pictures a class; {reason}"
    return Setting("data.augment", chosen, reason)


def _learning(facts: PictureFacts, samples: int, chosen: Plan) -> Iterator[Setting]:
    cost = f"{chosen.multiply_adds / 1e6:,.1f} million multiply-adds a picture"
    yield Setting("model", chosen.model, cost)
    yield classification_loss(facts.imbalance, of="pictures")
    yield from _optimization(samples)
    minutes = f"about {max(1, round(chosen.minutes)):,} min on two CPU cores"
    yield Setting("train.epochs", chosen.epochs, minutes)
    yield from balanced_monitor(facts.imbalance)


def _optimization(samples: int) -> Iterator[Setting]:
    size = batch_size(samples)
    rate = LR_PER_SAMPLE * (samples if isinstance(size, str) else size)
    yield Setting("optimizer.name", "sgd", "trains residual networks best")
    yield Setting("optimizer.lr", round(rate, 4), "the peak, in proportion to the batch")
    yield Setting("optimizer.momentum", 0.9, "one_cycle varies it from 0.95 to 0.85 and back")
    yield Setting("optimizer.nesterov", True, "helps a little, costs nothing")
    yield Setting("scheduler", "one_cycle", "trains in few epochs")
    yield Setting("regularization.l2", 0.0005, "usual for residual networks")
    yield Setting("regularization.label_smoothing", 0.1, "against overconfidence")
