"""A summary as a table, as Markdown and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.inspection.columns import bytes_of, choose
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.field_advice import advice_on_field
from cnnctl.inspection.grid import Grid
from cnnctl.inspection.memory import TrainingMemory

FORMAT = 1
"""Version of the JSON; incremented when a key is removed or changes its meaning."""
MOST_ROWS = 60
"""Number of rows above which blocks are folded, unless a depth is given."""
MOST_NAMES = 3
"""Number of layers that a total lists by name; more are only counted."""


@dataclass(frozen=True, slots=True)
class Unfrozen:
    """What changes once frozen layers are trained."""

    epoch: int
    """The first epoch in which they are, from 1."""
    trainable: int
    memory: TrainingMemory


@dataclass(frozen=True, slots=True)
class Report:
    """A summary, the memory for training and that of the device."""

    summary: Summary
    memory: TrainingMemory | None = None
    """Memory for training in the first epoch."""
    device: tuple[str, int] | None = None
    """The device's name and its memory in bytes, if known."""
    unfrozen: Unfrozen | None = None
    pixel_share: float = 1.0
    """The pixels that training sees, as a share of those of full images."""

    @property
    def peak_memory(self) -> int | None:
        """The largest memory that any epoch needs, in bytes."""
        memories = (self.memory, self.unfrozen and self.unfrozen.memory)
        return max((memory.total for memory in memories if memory), default=None)


def totals(report: Report) -> list[str]:
    """The totals, as lines of text."""
    summary = report.summary
    trainable = _of_all(summary.trainable, summary)
    later = report.unfrozen
    more = f", {_of_all(later.trainable, summary)} from epoch {later.epoch}" if later else ""
    lines = [
        f"{summary.parameters:,} parameters, {trainable} trainable{more}",
        f"{summary.multiply_adds:,} multiply-adds per sample"
        f"{_in_training_only(summary)}{_without(summary)}",
    ]
    if report.pixel_share < 1:
        share = f"{report.pixel_share:.0%} of the pixels of full images"
        lines.append(f"progressive resizing: training sees {share}")
    lines += _memory_lines(report)
    advice = advice_on_field(summary)
    return [*lines, f"note: {advice}"] if advice else lines


def _of_all(parameters: int, summary: Summary) -> str:
    return "all" if parameters == summary.parameters else f"{parameters:,}"


def _in_training_only(summary: Summary) -> str:
    aside = sum(row.multiply_adds or 0 for row in summary.rows if row.kind == "auxiliary")
    return f", {aside:,} of them in training only" if aside else ""


def _without(summary: Summary) -> str:
    names = [row.name for row in summary.layers if not row.is_counted]
    if len(names) > MOST_NAMES:
        return f", without {len(names)} uncounted layers"
    return f", without uncounted operations in {', '.join(names)}" if names else ""


def _memory_lines(report: Report) -> list[str]:
    memory, size, later = report.memory, report.summary.batch_size, report.unfrozen
    if memory is None:
        return [f"{bytes_of(report.summary.weight_bytes)} for weights"]
    there = f" of {bytes_of(report.device[1])} on {report.device[0]}" if report.device else ""
    heading = f"training at batch size {size:,}"
    if later is None:
        return _parts(heading, memory, there)
    first = _parts(f"{heading}, up to epoch {later.epoch - 1}", memory, there)
    return first + _parts(f"{heading}, from epoch {later.epoch}", later.memory, there)


def _parts(heading: str, memory: TrainingMemory, there: str) -> list[str]:
    parts = {
        "weights": memory.weights,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer_state,
        "activations": memory.activations,
    }
    return [
        f"{heading}: {bytes_of(memory.total)}{there}",
        f"  {', '.join(f'{name} {bytes_of(part)}' for name, part in parts.items())}",
    ]


def shown(summary: Summary, depth: int | None) -> list[Row]:
    """The rows down to a depth, from 1; by default, as deep as fits a page."""
    fitting = (
        level
        for level in range(summary.depth + 1, 1, -1)
        if sum(row.depth < level for row in summary.rows) <= MOST_ROWS
    )
    level = depth or next(fitting, 1)
    return [row for row in summary.rows if row.depth < level]


def render(report: Report, *, depth: int | None = None, columns: str = "") -> RenderableType:
    """A table with a row for every layer and block down to a depth, and the totals below it.

    Raises:
        FaultError: there is no such column.
    """
    grid = _grid(report.summary, depth, columns)
    return Group(grid, Text(), *map(Text, totals(report)))


def to_markdown(report: Report, *, depth: int | None = None, columns: str = "") -> str:
    """The same as a table in GitHub's Markdown, and the totals as a list."""
    table = _grid(report.summary, depth, columns).to_markdown()
    return "\n".join([table, "", *(f"- {total.strip()}" for total in totals(report))])


def _grid(summary: Summary, depth: int | None, columns: str) -> Grid:
    chosen = choose(columns, summary)
    rows = [[column.cell(row, summary) for column in chosen] for row in shown(summary, depth)]
    return Grid([column.heading for column in chosen], rows)


def to_json(report: Report) -> dict[str, Any]:
    """The same as plain data; see docs/summary-json.md for the keys."""
    summary, memory, device = report.summary, report.memory, report.device
    return {
        "format": FORMAT,
        "input": list(summary.input),
        "batch_size": summary.batch_size,
        "layers": [_row_to_json(row) for row in summary.rows],
        "parameters": summary.parameters,
        "trainable": summary.trainable,
        "multiply_adds": summary.multiply_adds,
        "is_counted": summary.is_counted,
        "weight_bytes": summary.weight_bytes,
        "activation_bytes": summary.activation_bytes,
        "training_memory": _memory_to_json(memory) if memory else None,
        "unfrozen": _unfrozen_to_json(report.unfrozen) if report.unfrozen else None,
        "device_memory": {"device": device[0], "bytes": device[1]} if device else None,
        "pixel_share": report.pixel_share,
        "note": advice_on_field(summary),
    }


def _memory_to_json(memory: TrainingMemory) -> dict[str, int]:
    return {**asdict(memory), "total": memory.total}


def _unfrozen_to_json(unfrozen: Unfrozen) -> dict[str, Any]:
    return {
        "epoch": unfrozen.epoch,
        "trainable": unfrozen.trainable,
        "training_memory": _memory_to_json(unfrozen.memory),
    }


def _row_to_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "block": row.block or None,
        "depth": row.depth,
        "is_block": row.is_block,
        "kernel": list(row.kernel) if row.kernel else None,
        "input": list(row.input),
        "output": list(row.output),
        "parameters": row.parameters,
        "trainable": row.trainable,
        "multiply_adds": row.multiply_adds,
        "is_counted": row.is_counted,
        "receptive_field": list(row.field.size) if row.field else None,
        "receptive_field_start": list(row.field.start) if row.field else None,
        "stride": list(row.field.stride) if row.field else None,
        "weight_bytes": row.weight_bytes,
        "activation_bytes": row.activation_bytes,
        "init": row.starts or None,
        "dtype": row.dtype,
    }
