"""From the facts of pictures to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from cnnctl.config.wording import times
from cnnctl.data.picture_set import MAX_SKIPPED
from cnnctl.data.pictures.decoding import Mode
from cnnctl.data.pictures.sizes import common_size
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
from cnnctl.proposals.settings import HELD_OUT, WRITTEN, validation_share

SKIPPABLE = 0.2
"""Share of broken pictures up to which they are skipped."""
MOST_OF_A_SPLIT = 0.9
"""Share of a split that skipping may cost it."""


def propose(
    facts: PictureFacts, opening: Sequence[Setting], *, pretrained: bool | None = None
) -> str:
    """The experiment's file.

    opening: the settings that say where the pictures are, and what they show.
    """
    validation = _validation(facts)
    lesson = _lesson(facts, validation)
    chosen = plan_for(lesson, pretrained=pretrained)
    settings = [
        *opening,
        *form_settings(facts.scan, chosen),
        *_splits(facts, lesson, validation),
        *_broken(facts),
        *data_settings(lesson, chosen, may_shrink=bool(facts.scan.broken)),
        *learning_settings(lesson, chosen),
    ]
    return document([f"{facts.source.resolve().name}: {what(facts)}.", WRITTEN], settings)


def what(facts: PictureFacts) -> str:
    """`60,000 pictures in 10 classes`."""
    pictures = counted(len(facts.records), "picture")
    if facts.heads:
        return f"{pictures} with {len(facts.heads):,} targets"
    if facts.task == "classification":
        return f"{pictures} in {len(facts.classes):,} classes"
    if facts.task == "multilabel":
        return f"{pictures} with {counted(len(facts.classes), 'label')}"
    return f"{pictures} with values"


def _validation(facts: PictureFacts) -> float | None:
    """The share to hold out for validation; None where there is such a split."""
    if "validation" in facts.pictures:
        return None
    return validation_share(facts.pictures["train" if facts.has_splits else ALL])


def _lesson(facts: PictureFacts, validation: float | None) -> PictureLesson:
    """What is to be learned, from as many pictures as training will find."""
    mode, size = mode_of(facts.scan), common_size(facts.scan.sizes)
    update: dict[str, Any] = {"mode": mode, "size": size, "on_error": "skip"}
    update |= {"group_copies": keeps_copies_together(facts)}
    update |= {} if validation is None else {"validation": validation}
    known, counts = facts.data.model_copy(update=update).divided(seed=0)
    is_class = facts.task == "classification" and not facts.heads
    classes = facts.training if is_class else {}
    outputs = known.main_target.outputs
    lesson = Lesson(counts.train, facts.task, outputs, classes, facts.heads)
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
        reason = f"scaled down from {times(next(iter(sizes)))}, to save time"
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
    total = facts.pictures["train" if facts.has_splits else ALL]
    held = total - lesson.lesson.samples
    if not facts.has_splits:
        tested = round(HELD_OUT * total)
        held -= tested
    if validation is not None:
        yield Setting(
            "data.validation", validation, f"{held:,} training pictures, to select the best epoch"
        )
    if not facts.has_splits:
        yield Setting("data.test", HELD_OUT, f"{tested:,} pictures held out, for `cnnctl eval`")
    if keeps_copies_together(facts):
        extra = sum(len(each.names) - 1 for each in facts.scan.copies)
        reason = f"keeps {counted(extra, 'duplicate file')} in the split of the original"
        yield Setting("data.group_copies", True, reason)


def is_cut(facts: PictureFacts) -> bool:
    """Whether a split is cut off by us, not given by the data."""
    return "validation" not in facts.pictures


def keeps_copies_together(facts: PictureFacts) -> bool:
    """Whether the experiment keeps equal files in one split."""
    return is_cut(facts) and bool(facts.scan.copies)


def _broken(facts: PictureFacts) -> Iterator[Setting]:
    """Skip pictures that cannot be decoded, if they are few."""
    broken = facts.scan.broken
    worst = worst_share(facts)
    if broken and is_skipped(facts):
        why = "cannot be read" if facts.absent else "cannot be decoded"
        yield Setting("data.on_error", "skip", f"{counted(len(broken), 'picture')} {why}")
        if worst > 0.04:
            share = ceil(100 * worst + 1) / 100
            yield Setting("data.max_skipped", share, "share of a split that may be skipped")


def worst_share(facts: PictureFacts) -> float:
    """The largest share of broken pictures that a split can have, at most 1."""
    unread = len(facts.records) / facts.scan.read
    if not facts.has_splits:  # all may be in the smaller part
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
