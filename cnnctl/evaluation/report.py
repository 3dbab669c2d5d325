"""The results of an evaluation, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from cnnctl.escaping import visible
from cnnctl.evaluation.heads import Heads
from cnnctl.evaluation.measured import Measured
from cnnctl.metrics import Number, Scored, Valued, Watched
from cnnctl.metrics.classes import Scores
from cnnctl.metrics.wording import show_loss

LARGEST_MATRIX = 16
"""Maximum number of classes for a confusion matrix in a terminal."""
CONFUSED_PAIRS = 10


def render(measured: Measured | Heads) -> RenderableType:
    """One line with the result, then tables with details; with heads, for each head."""
    if isinstance(measured, Heads):
        return _heads(measured)
    parts: list[RenderableType] = [_headline(measured), *_lines(measured), *_values(measured)]
    if "classes" in measured.found:
        is_small = len(measured.found["classes"]) <= LARGEST_MATRIX
        confusion = _matrix(measured) if is_small else _confused_pairs(measured)
        parts += [Text(), _scores(measured), Text(), *confusion]
    if "labels" in measured.found:
        parts += [Text(), _label_scores(measured)]
    return Group(*parts)


def _heads(measured: Heads) -> RenderableType:
    total = f"loss {show_loss(measured.loss)} on {measured.samples:,} samples"
    parts: list[RenderableType] = [Text(total, style="bold")]
    for name, head in measured.heads.items():
        parts += [Text(), Text(visible(f"head {name}"), style="bold cyan"), render(head)]
    return Group(*parts)


def _headline(measured: Measured) -> Text:
    """The line with loss and accuracy."""
    followed = ", ".join(
        _shown(metric, value)
        for metric, value in measured.numbers()
        if metric.is_always_followed and value is not None
    )
    return Text(f"{followed} on {measured.samples:,} samples", style="bold")


def _lines(measured: Measured) -> Iterator[Text]:
    """Lines with the other numbers: those of probabilities, then those of counts."""
    for base in (Scored, Watched):
        shown = [
            _shown(metric, value)
            for metric, value in measured.numbers()
            if isinstance(metric, base) and not metric.is_always_followed and value is not None
        ]
        if shown:
            yield Text(", ".join(shown))


def _values(measured: Measured) -> Iterator[Table]:
    table = Table.grid("", Column(justify="right"), padding=(0, 2))
    for metric, value in measured.numbers():
        if isinstance(metric, Valued):
            table.add_row(metric.label, "-" if value is None else metric.show(value))
    if table.row_count:
        yield table


def _shown(metric: Number, value: float) -> str:
    """`accuracy 98.89 %`."""
    return f"{metric.label} {metric.show(value).replace('%', ' %')}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _table(*headings: str, labels: int = 1) -> Table:
    """A table whose first columns are labels and whose others are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for index, heading in enumerate(headings):
        is_label = index < labels
        table.add_column(heading, justify="left" if is_label else "right", no_wrap=not is_label)
    return table


def _scores(measured: Measured) -> Table:
    table = _table("class", "precision", "recall", "F1", "support")
    for scores in measured.found["classes"]:
        table.add_row(*_cells(scores))
    table.add_section()
    for scores in (measured.found["macro"], measured.found["weighted"]):
        table.add_row(*_cells(scores))
    return table


def _label_scores(measured: Measured) -> Table:
    table = _table("label", "precision", "recall", "F1", "AP", "support", "threshold")
    for scores in measured.found["labels"]:
        *shares, support = _cells(scores)
        precision = scores.average_precision
        own = "-" if precision is None else _percent(precision)
        table.add_row(*shares, own, support, f"{scores.threshold:g}")
    table.add_section()
    for average in ("micro", "macro", "weighted"):
        *shares, support = _cells(measured.found[average])
        table.add_row(*shares, "", support, "")
    return table


def _cells(scores: Scores) -> Iterator[str]:
    yield scores.name
    for share in (scores.precision, scores.recall, scores.f1):
        yield _percent(share)
    yield f"{scores.support:,}"


def _matrix(measured: Measured) -> Iterator[RenderableType]:
    names = [scores.name for scores in measured.found["classes"]]
    numbers = [str(index) for index in range(len(names))]
    are_short = max(map(len, names)) <= 4
    heads = names if are_short else numbers
    labels = names if are_short else [f"{n} {name}" for n, name in zip(numbers, names, strict=True)]
    yield Text("confusion matrix: rows are true classes, columns are predicted classes")
    table = _table("", *heads)
    for truth, counts in enumerate(measured.found["confusion"]):
        cells = (_count(n, is_right=taken == truth) for taken, n in enumerate(counts))
        table.add_row(labels[truth], *cells)
    yield table


def _count(count: int, *, is_right: bool) -> Text:
    if not count:
        return Text("·", style="dim")
    return Text(f"{count:,}", style="green" if is_right else "bold red")


def _confused_pairs(measured: Measured) -> Iterator[RenderableType]:
    names = [scores.name for scores in measured.found["classes"]]
    errors = sorted(_errors(measured.found["confusion"]), key=lambda error: -error[0])
    yield Text("most frequent confusions:" if errors else "no misclassified samples")
    table = _table("class", "predicted as", "samples", labels=2)
    for count, truth, taken in errors[:CONFUSED_PAIRS]:
        table.add_row(names[truth], names[taken], _count(count, is_right=False))
    if errors:
        yield table


def _errors(confusion: list[list[int]]) -> Iterator[tuple[int, int, int]]:
    """Misclassified samples: their number, class and predicted class."""
    for truth, counts in enumerate(confusion):
        for taken, count in enumerate(counts):
            if count and taken != truth:
                yield count, truth, taken
