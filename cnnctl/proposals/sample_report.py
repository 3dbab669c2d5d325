"""What was found in arrays or in a long table, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.config.wording import times
from cnnctl.escaping import visible
from cnnctl.proposals.document import counted
from cnnctl.proposals.sample_facts import SampleFacts
from cnnctl.proposals.settings import IMBALANCED
from cnnctl.proposals.target_report import some

SHOWN = 5
"""Arrays, classes or features that are named."""


def render(facts: SampleFacts, about: Sequence[str]) -> RenderableType:
    """The facts, a line each; `about` describes the source."""
    lines = [*about, *_samples(facts), *_targets(facts), *_warnings(facts)]
    return Group(*(Text(visible(line)) for line in lines))


def _samples(facts: SampleFacts) -> Iterator[str]:
    counts, shape = facts.data.known_samples, facts.shape
    kind = {1: "vectors of", 2: "signals of", 3: "images of"}[len(shape)]
    size = counted(shape[0], "feature") if len(shape) == 1 else times(shape)
    yield f"samples: {kind} {size}"
    if facts.given:
        held = counts.validation if "validation" in facts.given else 0
        parts = {"train": facts.rows - held, "validation": held, "test": counts.test}
        named = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
        yield f"splits: {named}"


def _targets(facts: SampleFacts) -> Iterator[str]:
    if facts.heads:
        yield from facts.about
        return
    if facts.task == "regression":
        low, high = facts.values
        yield f"target: {counted(facts.data.outputs or 1, 'value')}, from {low:g} to {high:g}"
        return
    what = "classes" if facts.task == "classification" else "labels"
    yield f"{what}: {len(facts.data.classes):,} (in training: {some(facts.counts['train'])})"
    if facts.imbalance > IMBALANCED:
        [(largest, _), *_, (smallest, _)] = facts.counts["train"].most_common()
        compared = f"{largest} has {facts.imbalance:.1f} times as many samples as {smallest}"
        yield f"balance: {compared}; the loss weights them"


def _warnings(facts: SampleFacts) -> Iterator[str]:
    if facts.constant:
        what = "feature" if len(facts.shape) == 1 else "channel"
        first = ", ".join(map(str, facts.constant[:SHOWN]))
        more = ", …" * (len(facts.constant) > SHOWN)
        are = "is" if len(facts.constant) == 1 else "are"
        yield f"note: {counted(len(facts.constant), what)} {are} constant: {first}{more}"
    total = facts.data.known_samples
    if facts.compared < total.train + total.validation + total.test:
        yield f"compared: an even sample of {facts.compared:,}"
    if facts.copies:
        verb = "equals" if facts.copies == 1 else "equal"
        yield f"note: {counted(facts.copies, 'sample')} {verb} an earlier one"
    if facts.torn:
        warning = "equal samples in both train and test inflate the results"
        yield f"warning: {warning}: {counted(facts.torn, 'sample')}"
    if facts.given and "test" not in facts.given:
        yield "note: no test split; `cnnctl eval` will use the validation split"
