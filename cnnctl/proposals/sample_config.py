"""From the facts of arrays or long tables to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cnnctl.proposals.picture_learning as pictures
import cnnctl.proposals.signal_learning as signals
import cnnctl.proposals.vector_learning as vectors
from cnnctl.config.wording import times
from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.picture_learning import PictureLesson
from cnnctl.proposals.sample_facts import SampleFacts
from cnnctl.proposals.settings import HELD_OUT, WRITTEN

TASKS = {
    "classification": "each sample has one of these classes",
    "multilabel": "rows of 0 and 1, a column for each label",
    "regression": "numbers with many distinct values",
}


def propose(facts: SampleFacts, opening: Sequence[Setting]) -> str:
    """The experiment's file; `opening` names the source."""
    settings = [
        *opening,
        *([] if facts.heads else [Setting("data.task", facts.task, TASKS[facts.task])]),
        *_splits(facts),
        *_learning(facts),
    ]
    total = facts.data.known_samples
    count = counted(total.train + total.validation + total.test, "sample")
    title = [f"{facts.source.resolve().name}: {count} of {times(facts.shape)}.", WRITTEN]
    return document(title, settings)


def _splits(facts: SampleFacts) -> Iterator[Setting]:
    if facts.is_few and facts.validation is not None:
        yield vectors.validation_of(facts.rows)
    elif facts.validation is not None:
        held = facts.rows - facts.lesson.samples
        reason = f"{held:,} training samples, to select the best epoch"
        yield Setting("data.validation", facts.validation, reason)
    if not facts.given:
        held = facts.data.known_samples.test
        yield Setting("data.test", HELD_OUT, f"{held:,} samples held out, for `cnnctl eval`")


def _learning(facts: SampleFacts) -> Iterator[Setting]:
    if len(facts.shape) == 1:
        yield from vectors.learning_settings(facts.lesson, is_few=facts.is_few)
    elif len(facts.shape) == 2:
        yield from signals.learning_settings(facts.lesson, facts.shape)
    else:
        yield from _picture_learning(facts)


def _picture_learning(facts: SampleFacts) -> Iterator[Setting]:
    channels, height, width = facts.shape
    are_pixels = facts.data.picture_form() is not None
    lesson = PictureLesson(
        facts.lesson, (height, width), channels, is_resized=False, are_pixels=are_pixels
    )
    chosen = pictures.plan_for(lesson, pretrained=False)
    yield from pictures.data_settings(lesson, chosen, may_shrink=False)
    yield from pictures.learning_settings(lesson, chosen)
