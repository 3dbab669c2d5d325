"""From the facts of a table to an experiment, with the reason for each setting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnnctl.data.records import split_words
from cnnctl.proposals.document import Setting, counted, document
from cnnctl.proposals.heads import heads_of
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import HELD_OUT, WRITTEN, path_setting
from cnnctl.proposals.table_facts import TableFacts
from cnnctl.proposals.targets import written
from cnnctl.proposals.vector_learning import FEW, learning_settings, validation_of


def propose(facts: TableFacts, *, folder: Path) -> str:
    """The experiment's file."""
    rows, is_few = len(facts.table), len(facts.table) < FEW
    settings = [
        Setting("data.name", "table"),
        path_setting(facts.source, folder=folder),
        *_targets(facts),
        *_ignored(facts),
        *_splits(facts),
        *learning_settings(_lesson(facts), is_few=is_few),
    ]
    title = [
        f"{facts.source.name}: {counted(rows, 'row')}, {counted(len(facts.columns), 'feature')}.",
        WRITTEN,
    ]
    return document(title, settings)


def _targets(facts: TableFacts) -> Iterator[Setting]:
    data = facts.data
    if data.target:
        yield Setting("data.target", data.target, facts.why_target)
        yield Setting("data.task", data.task, _why_task(facts))
    else:
        kinds = {name: written(name, kind) for name, kind in facts.kinds.items()}
        yield Setting("data.targets", kinds, facts.why_target)


def _why_task(facts: TableFacts) -> str:
    kinds = "labels" if facts.data.task == "multilabel" else "classes"
    return (
        f"{len(facts.data.classes):,} {kinds}"
        if facts.data.classes
        else "numbers with many distinct values"
    )


def _splits(facts: TableFacts) -> Iterator[Setting]:
    data, samples = facts.data, facts.data.known_samples
    if data.split:
        yield Setting("data.split", data.split, "assigns each row to a split")
    if data.group:
        yield Setting("data.group", data.group, "rows with equal cells stay in one split")
    if not has_validation(facts):
        yield validation_of(len(facts.table))
    if not data.split:
        yield Setting("data.test", HELD_OUT, f"{samples.test:,} rows held out, for `cnnctl eval`")


def has_validation(facts: TableFacts) -> bool:
    """Whether the table puts rows in a validation split."""
    split = facts.data.split
    if not split:
        return False
    words = split_words(split)
    return any(words[cell.lower()] == "validation" for cell in set(facts.table.columns[split]))


def _lesson(facts: TableFacts) -> Lesson:
    samples, main = facts.data.known_samples, facts.data.described_targets()[0]
    rows = samples.train + (0 if has_validation(facts) else samples.validation)
    task = next(iter(facts.kinds.values())).task
    heads = heads_of(facts.kinds, facts.table, samples=rows)
    return Lesson(rows, task, main.outputs, facts.counts, heads)


def _ignored(facts: TableFacts) -> Iterator[Setting]:
    if facts.ignored:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in facts.ignored.items())
        yield Setting("data.columns", dict.fromkeys(facts.ignored, "ignored"), reasons)
