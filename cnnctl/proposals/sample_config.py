"""From the facts of arrays or long tables to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnctl.config.wording import times
from cnnctl.proposals import picture_learning, signal_learning, vector_learning
from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.picture_learning import PictureLesson
from cnnctl.proposals.sample_facts import SampleFacts
from cnnctl.proposals.settings import HELD_OUT, WRITTEN, validation_share

TASKS = {
    "classification": "each sample has one of these classes",
    "multilabel": "rows of 0 and 1: each sample has any of these labels",
    "regression": "numbers of many values",
}


def propose(facts: SampleFacts, opening: Sequence[Setting]) -> str:
    """The experiment's file; `opening` names the source."""
    settings = [
        *opening,
        Setting("data.task", facts.data.task, TASKS[facts.data.task]),
        *_splits(facts),
        *_learning(facts),
    ]
    total = facts.data.known_samples
    count = counted(total.train + total.validation + total.test, "sample")
    title = [f"{facts.source.resolve().name}: {count} of {times(facts.shape)}.", WRITTEN]
    return document(title, settings)


def is_few(facts: SampleFacts) -> bool:
    """Whether there are so few vectors that only a linear model can be learned."""
    counts = facts.data.known_samples
    total = counts.train + counts.validation
    return len(facts.shape) == 1 and total < vector_learning.FEW


def _splits(facts: SampleFacts) -> Iterator[Setting]:
    counts = facts.data.known_samples
    if "validation" not in facts.given:
        rows = counts.train + counts.validation
        if is_few(facts):
            yield vector_learning.validation_of(rows)
        else:
            reason = "share of train, to select the best epoch"
            yield Setting("data.validation", validation_share(rows), reason)
    if not facts.given:
        reason = f"{counts.test:,} samples held out, for `cnnctl eval`"
        yield Setting("data.test", HELD_OUT, reason)


def _learning(facts: SampleFacts) -> Iterator[Setting]:
    if len(facts.shape) == 1:
        yield from vector_learning.learning_settings(facts.lesson, is_few=is_few(facts))
    elif len(facts.shape) == 2:
        yield from signal_learning.learning_settings(facts.lesson, facts.shape[1])
    else:
        yield from _picture_learning(facts)


def _picture_learning(facts: SampleFacts) -> Iterator[Setting]:
    channels, height, width = facts.shape
    lesson = PictureLesson(facts.lesson, (height, width), channels, is_resized=False)
    chosen = picture_learning.plan_for(lesson, pretrained=False)
    yield from picture_learning.data_settings(lesson, chosen, may_shrink=False)
    yield from picture_learning.learning_settings(lesson, chosen)
