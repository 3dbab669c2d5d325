"""A trace as text, laid out as a textbook works it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from cnnctl.escaping import visible
from cnnctl.tracing.blocks import UpdateBlock, in_order, update_blocks
from cnnctl.tracing.facts import LossFacts, Row, StepFacts, Trace, WeightFacts
from cnnctl.tracing.numbers import Style, is_large, lines_of, padded, rows_of
from cnnctl.tracing.unit_text import unit_lines


def render(trace: Trace, *, digits: int = 4) -> str:
    """The trace as lines; names from files are escaped."""
    page = _Page(Style(digits), _widths(trace))
    lines = list[str]()
    for step in trace.steps:
        if len(trace.steps) > 1:
            lines += [*([""] if lines else []), f"step {step.number}"]
        lines += unit_lines(step, page.style) if step.unit else page.step(step)
    lines += [f"note: {note}" for note in trace.notes]
    return "\n".join(map(visible, lines))


@dataclass(frozen=True, slots=True)
class _Widths:
    name: int
    what: int


WIDEST = 30
"""Characters of the second column; what is longer runs into the third."""


def _widths(trace: Trace) -> _Widths:
    names, whats = [0], [0]
    for step in trace.steps:
        first = _firsts(step.forward)
        names += [len(loss.task or loss.kind) for loss in step.losses]
        for number, row in enumerate(step.forward):
            names.append(len(row.layer))
            symbol, formula = _what(row, is_first=number in first)
            labels = _labels(symbol, formula, row.value)
            whats += [min(len(label), WIDEST) for label in labels]
    return _Widths(max(names) + 2, max(whats) + 2)


def _labels(symbol: str, formula: str, value: Tensor) -> list[str]:
    """What is written before each line of a tensor: `z = W x + b`, or `z[0]`."""
    labels = [symbol] if is_large(value) else []
    labels += [f"{symbol}{line.index}" for line in rows_of(value)]
    if formula:
        labels[0] = f"{labels[0]} = {formula}"
    return labels


def _firsts(rows: Sequence[Row]) -> set[int]:
    """The rows that are the first with their formula, which is shown there only."""
    seen, first = set[str](), set[int]()
    for number, row in enumerate(rows):
        if row.formula not in seen:
            first.add(number)
            seen.add(row.formula)
    return first


def _what(row: Row, *, is_first: bool) -> tuple[str, str]:
    """Symbol and formula, the latter the first time only; activations are known by their names."""
    symbol = "" if row.role == "input" else row.symbol
    is_named = row.symbol in "ay" and "W" not in row.formula
    return symbol, row.formula if is_first and not is_named else ""


@dataclass(frozen=True, slots=True)
class _Page:
    style: Style
    widths: _Widths

    def step(self, step: StepFacts) -> Iterator[str]:
        """All sections of a step."""
        yield from self.forward(step)
        yield from self.losses(step)
        if step.backward:
            yield "back"
            for row in step.backward:
                yield from self.tensor(row.layer, row.symbol, "", row.value)
        if any(weight.gradient is not None for weight in step.weights):
            yield "gradients"
            for weight in in_order(step.weights):
                if weight.gradient is not None:
                    yield from self.tensor(weight.layer, f"d{weight.letter}", "", weight.gradient)
        yield from self.updates(step)

    def forward(self, step: StepFacts) -> Iterator[str]:
        first, target = _firsts(step.forward), _target(step.losses, self.style)
        before = ""
        for number, row in enumerate(step.forward):
            what = _what(row, is_first=number in first)
            name, before = "" if row.layer == before else row.layer, row.layer
            lines = list(self.tensor(name, *what, row.value))
            if target and number == len(step.forward) - 1:
                lines[0] = f"{lines[0]}      {target}"
            yield from lines

    def losses(self, step: StepFacts) -> Iterator[str]:
        for loss in step.losses:
            name = loss.task or loss.kind
            for term in loss.working.terms:
                yield from self.tensor(name, term.symbol, term.formula, term.value)
            number = self.style.number(loss.value)
            parts = loss.working.parts
            worked = f" = {self.style.sum_of(parts, loss.working.divisor)}" if parts else ""
            kind = f"{loss.kind}, {_target([loss], self.style)}: " if loss.task else ""
            yield f"{name:<{self.widths.name}}{kind}{number}{worked}"
        for penalty in step.penalties:
            value = self.style.number(penalty.value)
            yield f"{penalty.name:<{self.widths.name}}{value} = {penalty.formula}"
        if step.total is not None and len(step.losses) + len(step.penalties) > 1:
            terms = [
                f"{each.weight:g} · {each.task}" if each.weight != 1 else each.task or each.kind
                for each in step.losses
            ]
            terms += [penalty.name for penalty in step.penalties]
            total = self.style.number(step.total)
            yield f"{'total':<{self.widths.name}}{total} = {' + '.join(terms)}"

    def updates(self, step: StepFacts) -> Iterator[str]:
        for clipping in step.clippings:
            of = "largest" if clipping.factor is None else "norm"
            said = f"{of} {self.style.number(clipping.before)}"
            factor = f", factor {self.style.number(clipping.factor)}" if clipping.factor else ""
            yield f"{'clip':<{self.widths.name}}{clipping.formula}: {said}{factor}"
        for block in update_blocks(step):
            yield from self.block(block, step)

    def block(self, block: UpdateBlock, step: StepFacts) -> Iterator[str]:
        head = f"update, {block.title}"
        yield f"{head}: {block.formulas[0]}" if block.is_short else head
        yield from (f"  {formula}" for formula in block.formulas if not block.is_short)
        if step.evaluations > 1:
            yield f"  the loss was computed {step.evaluations} times"
        for weight in in_order(block.weights):
            for term in [*weight.added, *weight.terms[:-1]]:
                yield from self.tensor(weight.layer, term.symbol, "", term.value)
            yield from self.change(weight)
            if weight.average is not None:
                yield from self.tensor(
                    weight.layer, weight.average.symbol, "", weight.average.value
                )

    def change(self, weight: WeightFacts) -> Iterator[str]:
        """`W[0]   0.3000 -0.2000 → 0.3193 -0.1859`."""
        name = f"{weight.layer:<{self.widths.name}}"
        if is_large(weight.before):
            change = weight.after - weight.before
            yield from self.tensor(weight.layer, f"Δ{weight.letter}", "", change)
        for before, after in zip(rows_of(weight.before), rows_of(weight.after), strict=True):
            small = self.style.is_small([*before.values, *after.values])
            old = " ".join(self.style.row(before.values, small=small))
            new = " ".join(self.style.row(after.values, small=small))
            more = f" {before.said}" if before.said else ""
            label = weight.letter + before.index
            yield f"{name}{label:<{max(7, len(label) + 2)}}{old}{more} → {new}{more}"

    def tensor(self, name: str, symbol: str, formula: str, value: Tensor) -> Iterator[str]:
        """A row for each line of a tensor, or the summary of a large one."""
        small = None if is_large(value) else self.style.is_small(value.flatten().tolist())
        labels = _labels(symbol, formula, value)
        for line, label in zip(lines_of(value, self.style), labels, strict=True):
            head = f"{name:<{self.widths.name}}{padded(label, self.widths.what)}"
            if line.values:
                more = f" {line.said}" if line.said else ""
                yield f"{head}{self.style.aligned(line.values, small=small)}{more}"
            else:
                yield f"{head}  {line.said}"
            name = ""


def _target(losses: Sequence[LossFacts], style: Style) -> str:
    """The target of a single loss."""
    if len(losses) != 1:
        return ""
    [loss] = losses
    if loss.target_name:
        number = int(loss.target)
        named = "" if loss.target_name == str(number) else f" ({loss.target_name})"
        return f"target class {number}{named}"
    return f"target {' '.join(style.row(loss.target.flatten().tolist()[:16]))}"
