"""From the facts of a table to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import HELD_OUT, WRITTEN, path_setting
from cnnctl.proposals.table_facts import TableFacts
from cnnctl.proposals.vector_learning import FEW, learning_settings, validation_of


def propose(facts: TableFacts, *, folder: Path) -> str:
    """The experiment's file."""
    rows, samples = len(facts.table), facts.data.known_samples
    settings = [
        Setting("data.name", "table"),
        path_setting(facts.source, folder=folder),
        Setting("data.target", facts.target, facts.why_target),
        Setting("data.task", facts.data.task, _why_task(facts)),
        *_ignored(facts),
        validation_of(rows),
        Setting("data.test", HELD_OUT, f"{samples.test:,} rows held out, for `cnnctl eval`"),
        *learning_settings(_lesson(facts, rows - samples.test), is_few=rows < FEW),
    ]
    title = [
        f"{facts.source.name}: {counted(rows, 'row')}, {counted(len(facts.columns), 'feature')}.",
        WRITTEN,
    ]
    return document(title, settings)


def _lesson(facts: TableFacts, rows: int) -> Lesson:
    return Lesson(rows, str(facts.data.task), len(facts.data.classes) or 1, facts.counts)


def _why_task(facts: TableFacts) -> str:
    classes = facts.data.classes
    return f"{len(classes):,} classes" if classes else "numbers of many values"


def _ignored(facts: TableFacts) -> Iterator[Setting]:
    if facts.ignored:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in facts.ignored.items())
        yield Setting("data.columns", dict.fromkeys(facts.ignored, "ignored"), reasons)
