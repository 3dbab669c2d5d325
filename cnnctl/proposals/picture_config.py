"""From the facts of pictures to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

from cnnctl.config.wording import times
from cnnctl.data.picture_set import MAX_SKIPPED
from cnnctl.data.pictures.decoding import Mode
from cnnctl.data.pictures.sizes import common_size
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.proposals.budget import Plan
from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.picture_facts import ALL, PictureFacts, Scan
from cnnctl.proposals.picture_learning import (
    PictureLesson,
    data_settings,
    learning_settings,
    plan_for,
)
from cnnctl.proposals.settings import HELD_OUT, WRITTEN, path_setting, validation_share

SKIPPABLE = 0.2
"""Share of broken pictures up to which they are skipped."""
MOST_OF_A_SPLIT = 0.9
"""Share of a split that skipping may cost it."""


def propose(facts: PictureFacts, *, folder: Path, pretrained: bool | None) -> str:
    """The experiment's file."""
    validation = _validation(facts)
    lesson = _lesson(facts, validation)
    chosen = plan_for(lesson, pretrained=pretrained)
    settings = [
        Setting("data.name", "image_folder"),
        path_setting(facts.source, folder=folder),
        *form_settings(facts.scan, chosen),
        *_splits(facts, lesson, validation),
        *_broken(facts),
        *data_settings(lesson, chosen, may_shrink=bool(facts.scan.broken)),
        *learning_settings(lesson, chosen),
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


def _lesson(facts: PictureFacts, validation: float | None) -> PictureLesson:
    """What is to be learned, from as many pictures as training will find."""
    mode, size = mode_of(facts.scan), common_size(facts.scan.sizes)
    options: dict[str, Any] = {} if validation is None else {"validation": validation}
    options |= {"group_copies": keeps_copies_together(facts)}
    data = ImageFolder(path=str(facts.source), mode=mode, size=size, **options)
    counts = data.surveyed(Path(), seed=0).known_samples
    lesson = Lesson(counts.train, "classification", len(facts.classes), facts.training)
    return PictureLesson(lesson, size, 1 if mode == "L" else 3)


def mode_of(scan: Scan) -> Mode:
    """The mode that keeps all colours."""
    return "L" if set(scan.modes) == {"L"} else "RGB"


def form_settings(scan: Scan, chosen: Plan) -> Iterator[Setting]:
    """The size and the mode that pictures are brought to."""
    sizes, size = set(scan.sizes), chosen.size
    if chosen.is_pretrained:
        reason = "the size that the weights were trained with"
    elif sizes == {size}:
        reason = "the size of all pictures"
    elif len(sizes) == 1:
        reason = f"smaller than their {times(next(iter(sizes)))}, to train in time"
    else:
        reason = "pictures have several sizes; they are scaled and padded to this one"
    yield Setting("data.size", size[0] if len(set(size)) == 1 else list(size), reason)
    mode, grey = mode_of(scan), scan.modes["L"] / len(scan.sizes)
    if chosen.is_pretrained and mode == "L":
        yield Setting("data.mode", "RGB", "the weights are for colour; all pictures are grey")
        return
    shares = {0.0: "all pictures are in colour", 1.0: "all pictures are grey"}
    yield Setting("data.mode", mode, shares.get(grey, f"{1 - grey:.0%} of them are in colour"))


def _splits(
    facts: PictureFacts, lesson: PictureLesson, validation: float | None
) -> Iterator[Setting]:
    total = sum(facts.training.values())
    held = total - lesson.lesson.samples
    if ALL in facts.counts:
        tested = round(HELD_OUT * total)
        held -= tested
    if validation is not None:
        yield Setting(
            "data.validation", validation, f"{held:,} pictures of train, to select the best epoch"
        )
    if ALL in facts.counts:
        yield Setting("data.test", HELD_OUT, f"{tested:,} pictures held out, for `cnnctl eval`")
    if keeps_copies_together(facts):
        extra = sum(len(each.names) - 1 for each in facts.scan.copies)
        reason = f"{counted(extra, 'file')} with the content of another stay in its split"
        yield Setting("data.group_copies", True, reason)


def is_cut(facts: PictureFacts) -> bool:
    """Whether a split is cut off by us, not given by the data."""
    return "validation" not in facts.counts


def keeps_copies_together(facts: PictureFacts) -> bool:
    """Whether the experiment keeps equal files in one split."""
    return is_cut(facts) and bool(facts.scan.copies)


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
