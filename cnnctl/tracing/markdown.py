"""A trace as Markdown, with formulas in LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor

from cnnctl.escaping import visible
from cnnctl.tracing.blocks import in_order, update_blocks
from cnnctl.tracing.facts import LossFacts, Row, StepFacts, Trace, WeightFacts
from cnnctl.tracing.latex import latex
from cnnctl.tracing.numbers import Style, is_large, lines_of
from cnnctl.tracing.unit_text import unit_lines


def to_markdown(trace: Trace, *, digits: int = 4) -> str:
    """The trace as Markdown; names from files are escaped."""
    page = _Page(Style(digits))
    lines = [f"# {_cell(trace.name)}: {_cell(trace.sample)}, in {trace.mode}", ""]
    for step in trace.steps:
        if len(trace.steps) > 1:
            lines += [f"## Step {step.number}", ""]
        lines += page.unit(step) if step.unit else page.step(step)
    lines += [f"- {_cell(note)}" for note in trace.notes]
    return "\n".join(map(visible, lines)).rstrip()


def _cell(text: str) -> str:
    """Text that has no meaning to Markdown."""
    for special in ("\\", "|", "*", "_", "`", "<", "[", "#"):
        text = text.replace(special, f"\\{special}")
    return text


class _Page:
    def __init__(self, style: Style) -> None:
        self.style = style

    def unit(self, step: StepFacts) -> Iterator[str]:
        yield from ("```text", *unit_lines(step, self.style), "```", "")

    def step(self, step: StepFacts) -> Iterator[str]:
        yield from ("### Forward", "")
        yield from self.table(("layer", "", "value"), map(self.row, step.forward))
        if step.losses:
            yield from ("### Loss", "")
            for loss in step.losses:
                yield from self.loss(loss)
            yield from self.total(step)
        if step.backward:
            yield from ("### Backward", "")
            yield from self.table(("layer", "", "value"), map(self.row, step.backward))
        if step.weights:
            yield from ("### Gradients", "")
            rows = (
                (weight.layer, latex(f"d{weight.letter}"), weight.gradient)
                for weight in in_order(step.weights)
                if weight.gradient is not None
            )
            yield from self.table(("layer", "", "value"), map(self.filled, rows))
            yield from self.updates(step)

    def row(self, row: Row) -> tuple[str, str, str]:
        symbol = r"\delta" if row.symbol == "delta" else latex(row.symbol)
        formula = f"{symbol} = {latex(row.formula)}" if row.formula else symbol
        return self.filled((row.layer, formula, row.value))

    def filled(self, row: tuple[str, str, Tensor]) -> tuple[str, str, str]:
        name, formula, value = row
        return _cell(name), f"${formula}$", self.numbers(value)

    def numbers(self, value: Tensor) -> str:
        """The lines of a tensor, in one cell."""
        small = None if is_large(value) else self.style.is_small(value.flatten().tolist())
        texts = list[str]()
        for line in lines_of(value, self.style):
            numbers = self.style.row(line.values, small=small)
            texts.append(" ".join([*numbers, *filter(None, [line.said])]))
        return "<br>".join(texts)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
        yield f"| {' | '.join(heads)} |"
        yield f"|{'---|' * len(heads)}"
        yield from (f"| {' | '.join(row)} |" for row in rows)
        yield ""

    def loss(self, loss: LossFacts) -> Iterator[str]:
        working = loss.working
        for term in working.terms:
            yield f"${latex(term.symbol)} = {latex(term.formula)}$: {self.numbers(term.value)}"
            yield ""
        target = loss.target_name or " ".join(self.style.row(loss.target.flatten().tolist()[:16]))
        name = f"{loss.task}, {loss.kind}" if loss.task else loss.kind
        yield f"{_cell(name)}, target {_cell(target)}:"
        yield ""
        number, formula = self.style.number(loss.value), latex(working.formula)
        worked = latex(self.style.sum_of(working.parts, working.divisor))
        steps = [part for part in (formula, worked, number) if part]
        yield f"$$L = {' = '.join(steps)}$$"
        yield ""

    def total(self, step: StepFacts) -> Iterator[str]:
        for penalty in step.penalties:
            value = self.style.number(penalty.value)
            yield f"{penalty.name}: ${latex(penalty.formula)} = {value}$"
            yield ""
        if step.total is not None and len(step.losses) + len(step.penalties) > 1:
            yield f"total: {self.style.number(step.total)}"
            yield ""

    def updates(self, step: StepFacts) -> Iterator[str]:
        yield from (f"### Update, {step.optimizer}", "")
        for clipping in step.clippings:
            factor = f", factor {self.style.number(clipping.factor)}" if clipping.factor else ""
            yield f"Clipping: {clipping.formula}, of {self.style.number(clipping.before)}{factor}"
            yield ""
        for block in update_blocks(step):
            for formula in block.formulas:
                whole = f"W = {formula}" if block.is_short else formula
                symbol, _, right = whole.partition(" = ")
                yield rf"$$ {latex(symbol)} \leftarrow {latex(right)} $$"
            yield ""
            yield from self.table(("weight", "", "value"), self.changes(block.weights))

    def changes(self, weights: Sequence[WeightFacts]) -> Iterator[tuple[str, str, str]]:
        """For each weight the terms of its update, then the weight before and after."""
        for weight in in_order(weights):
            for term in [*weight.added, *weight.terms[:-1]]:
                yield self.filled((weight.layer, latex(term.symbol), term.value))
            letter = latex(weight.letter)
            yield self.filled((weight.layer, letter, weight.before))
            yield self.filled((weight.layer, f"{letter}'", weight.after))
            if weight.average is not None:
                yield self.filled(
                    (weight.layer, latex(weight.average.symbol), weight.average.value)
                )
