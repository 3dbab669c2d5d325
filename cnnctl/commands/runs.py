"""`cnnctl runs`: what was trained so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.commands import AsJson, command, display, print_json, say
from cnnctl.escaping import visible

if TYPE_CHECKING:
    from rich.table import Table


@command("runs")
def list_runs(
    folder: Annotated[
        Path, typer.Argument(help="Where the run folders are.", metavar="DIR")
    ] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs: their epochs, last losses and best accuracy."""
    facts = [describe(run) for run in sorted(folder.glob("*")) if (run / "config.yaml").exists()]
    if as_json:
        print_json(facts)
    elif facts:
        display(render(facts))
    else:
        say(visible(f"no runs in {folder}"))


def describe(run: Path) -> dict[str, Any]:
    """One run's facts, of the validation split or, where there is none, of the training split."""
    from cnnctl.run_folder import read_metrics

    rows = read_metrics(run)
    split = "val" if any("val_loss" in row for row in rows) else "train"
    accuracies = [row[f"{split}_accuracy"] for row in rows if f"{split}_accuracy" in row]
    return {
        "run": run.name,
        "epochs": len(rows),
        "split": split,
        "loss": rows[-1][f"{split}_loss"] if rows else None,
        "best_accuracy": max(accuracies, default=None),
        "seconds": sum(row["seconds"] for row in rows),
    }


def render(facts: list[dict[str, Any]]) -> Table:
    """A row for each run."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold")
    for name in ("epochs", "split", "last loss", "best accuracy", "seconds"):
        table.add_column(name, justify="right")
    for run in facts:
        loss = "-" if run["loss"] is None else f"{run['loss']:.4f}"
        accuracy = "-" if run["best_accuracy"] is None else f"{run['best_accuracy']:.2%}"
        table.add_row(
            run["run"], str(run["epochs"]), run["split"], loss, accuracy, f"{run['seconds']:.1f}"
        )
    return table
