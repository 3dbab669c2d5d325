"""`cnnctl runs`: list the runs and their results."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.cells import cell_len

from cnnctl.commands import AsJson, command, display, print_json, say
from cnnctl.escaping import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

    from cnnctl.run_files import EpochMetrics

Facts = dict[str, Any]

ALIKE = ("split", "lr", "seed")
"""Columns that are omitted if all runs have the same value."""
LEAST = ("seconds", "split", "kept", "seed", "lr", "loss", "overrides")
"""Columns to omit in a narrow terminal, in this order."""
ENOUGH_FOR_OVERRIDES = 20
"""Characters; longer ones are folded."""


@command("runs")
def list_runs(
    folder: Annotated[
        Path, typer.Argument(help="Directory of the run folders.", metavar="DIR")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List runs with their state, results and differing settings."""
    from cnnctl.errors import FaultError
    from cnnctl.paths import is_file
    from cnnctl.storage import contents

    facts: list[Facts] = []
    for run in sorted(contents(folder), key=lambda path: _natural(path.name)):
        if is_file(run / "config.yaml"):
            try:
                facts.append(describe(run))
            except FaultError as error:
                say(str(error), err=True)
    if as_json:
        print_json(facts)
    elif facts:
        display(Listing(facts))
    else:
        say(visible(f"no runs in {folder}"))


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts `lenet-2` before `lenet-10`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def describe(run: Path) -> Facts:
    """The facts of one run, read from its text files.

    `loss`, `accuracy` and other watched metrics are those of the kept epoch, on `split`: the
    validation split or, without one, the training split.

    Raises:
        FaultError: one of its files cannot be read.
    """
    from cnnctl.run_files import read_config, read_metrics, read_overrides, read_result

    metrics, result, config = read_metrics(run), read_result(run), read_config(run)
    kept = next((row for row in reversed(metrics.rows) if row.get("kept")), {})
    split = "val" if any("val_loss" in row for row in metrics.rows) else "train"
    return {
        "run": run.name,
        "state": _state(run, result),
        "epochs": metrics.rows[-1]["epoch"] if metrics.rows else 0,
        "of": _get(config, "train", "epochs"),
        "kept": kept.get("epoch"),
        "kept_because": _why(config) if kept else None,
        "split": split,
        **_figures(kept, split),
        "test": result.get("test"),
        "lr": _get(config, "optimizer", "lr"),
        "seed": _get(config, "seed"),
        "overrides": read_overrides(run),
        "seconds": sum(_number(row, "seconds") for row in metrics.rows),
        "damaged_lines": metrics.damaged,
    }


def _figures(kept: EpochMetrics, split: str) -> Facts:
    """The watched metrics of the kept epoch; those that only some runs have, if present."""
    return {
        kind: kept.get(f"{split}_{kind}")
        for kind, is_always_there in _watchable().items()
        if is_always_there or f"{split}_{kind}" in kept
    }


def _watchable() -> dict[str, bool]:
    """The metrics that can be watched, and whether every run has them."""
    from cnnctl.metrics import METRICS, Watched

    return {
        kind: metric.is_always_followed
        for kind, metric in METRICS.items()
        if issubclass(metric, Watched)
    }


def _state(run: Path, result: Facts) -> str:
    """`running`, `finished`, `stopped` by a signal, `diverged`, `failed`, or else `killed`."""
    from cnnctl.run_files import is_in_use

    if is_in_use(run):
        return "running"
    state = result.get("state")
    return state if isinstance(state, str) else "killed"


def _why(config: Any) -> str:
    if not _get(config, "data", "validation"):
        return "the last, without a validation split"
    from cnnctl.metrics.naming import label_of

    monitor = _get(config, "train", "monitor")
    return f"the best {label_of(str(monitor))} on the validation split"


def _get(config: Any, *path: str) -> Any:
    """An option of an unvalidated configuration; None if it is missing."""
    for key in path:
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, int | float | str) else None


def _number(row: EpochMetrics, name: str) -> float:
    value = row.get(name, 0.0)
    return float(value)


@dataclass(frozen=True, slots=True)
class Listing:
    """A row for each run; a narrow terminal omits the least important columns."""

    facts: Sequence[Facts]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """The table."""
        from rich.table import Table

        columns = _fitting(_filled(self.facts), width=options.max_width)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            is_text = name in ("run", "state", "overrides")
            is_long = name in ("run", "overrides")
            justify: Literal["left", "right"] = "left" if is_text else "right"
            table.add_column(name, justify=justify, overflow="fold", no_wrap=not is_long)
        for cells in zip(*columns.values(), strict=True):
            table.add_row(*cells)
        yield table


def _filled(facts: Sequence[Facts]) -> dict[str, list[str]]:
    """The cells of all columns that are not empty."""
    columns: dict[str, Callable[[Facts], str]] = {
        "run": lambda run: str(run["run"]),
        "state": lambda run: str(run["state"]),
        "epochs": lambda run: f"{run['epochs']}/{run['of']}" if run["of"] else str(run["epochs"]),
        "kept": lambda run: _text(run["kept"]),
        "split": lambda run: str(run["split"]) if run["kept"] else "",
        **{kind: partial(_figure, kind) for kind in _watchable()},
        "test": _test,
        "lr": lambda run: _text(run["lr"]),
        "seed": lambda run: _text(run["seed"]),
        "seconds": lambda run: f"{run['seconds']:.1f}",
        "overrides": lambda run: shlex.join(run["overrides"]),
    }
    filled = {name: [cell(run) for run in facts] for name, cell in columns.items()}
    return {
        name: [visible(cell or "-") for cell in cells]
        for name, cells in filled.items()
        if any(cells) and not (name in ALIKE and len(facts) > 1 and len(set(cells)) == 1)
    }


def _fitting(columns: dict[str, list[str]], *, width: int) -> dict[str, list[str]]:
    """The columns that fit a line of this width."""
    rare = [kind for kind, is_always_there in _watchable().items() if not is_always_there]
    for name in [*LEAST, *rare]:
        natural = [max(map(cell_len, [heading, *cells])) for heading, cells in columns.items()]
        if "overrides" in columns:
            natural[-1] = min(natural[-1], ENOUGH_FOR_OVERRIDES)
        if sum(natural) + 2 * (len(natural) - 1) <= width:
            break
        columns = {heading: cells for heading, cells in columns.items() if heading != name}
    return columns


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _figure(kind: str, run: Facts) -> str:
    return _metric(kind, run.get(kind))


def _metric(name: str, value: Any) -> str:
    from cnnctl.metrics.naming import show_metric

    return show_metric(name, value) if isinstance(value, int | float) else ""


def _test(run: Facts) -> str:
    """The accuracy on the test split, or the loss if there is no accuracy."""
    test = run["test"] if isinstance(run["test"], dict) else {}
    name = "accuracy" if "accuracy" in test else "loss"
    return _metric(name, test.get(name))
