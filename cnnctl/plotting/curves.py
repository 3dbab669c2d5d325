"""Metrics of runs by epoch, as charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from cnnctl.charts import Chart, Mark, Series
from cnnctl.errors import checkpoint_fault, config_fault, nearest
from cnnctl.metrics.naming import label_of, parted, show_metric
from cnnctl.paths import is_file, is_folder
from cnnctl.run_files import EpochMetrics, read_config, read_metrics
from cnnctl.run_lookup import folder_of

RATE = "lr"
SPLITS = {"train": "training", "val": "validation"}
"""The splits that are measured after each epoch, as in the keys of metrics.jsonl."""
NO_METRICS = ("epoch", "step", "kept")


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """What a run has recorded."""

    name: str
    rows: list[EpochMetrics]
    monitor: str
    """The metric that selects the best epoch."""

    @property
    def metrics(self) -> list[str]:
        """The names of the recorded metrics, without their splits."""
        keys = dict.fromkeys(key for row in self.rows for key in row if key not in NO_METRICS)
        return list(dict.fromkeys(_without_split(key) for key in keys))

    @property
    def kept(self) -> int | None:
        """The epoch whose weights were kept last."""
        return next((row["epoch"] for row in reversed(self.rows) if row.get("kept")), None)

    def to_json(self) -> dict[str, Any]:
        """The rows as plain data; what is not finite becomes None, which JSON has."""
        rows = [{name: _plain(value) for name, value in row.items()} for row in self.rows]
        return {"run": self.name, "monitor": self.monitor, "rows": rows}


def _plain(value: Any) -> Any:
    return value if isfinite(value) else None


def _without_split(key: str) -> str:
    split, _, name = key.partition("_")
    return name if split in SPLITS else key


def read_runs(sources: Sequence[Path]) -> list[RunMetrics]:
    """The metrics of run folders, or of the runs that checkpoints are from.

    Raises:
        FaultError: a source is no run, or has no metrics (exit code 4); or cannot be read (6).
    """
    return [_read(folder, name) for name, folder in named_folders(sources)]


def named_folders(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """The run folders of sources, and names that tell them apart.

    Raises:
        FaultError: a source is no run (exit code 4).
    """
    folders = [_run_folder(source) for source in sources]
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return list(zip(names, folders, strict=True))


def _run_folder(source: Path) -> Path:
    folder = source if is_folder(source) else folder_of(source)
    if folder is None or not is_file(folder / "config.yaml"):
        hint = "give the folder of a run, or add --learned to plot what the network computes"
        raise checkpoint_fault("is not a run, which has curves", hint=hint, place=str(source))
    return folder


def _read(folder: Path, name: str) -> RunMetrics:
    rows = read_metrics(folder).rows
    if not rows:
        message, hint = "has no metrics: no epoch was finished", "train it, then plot it"
        raise checkpoint_fault(message, hint=hint, place=str(folder))
    config = read_config(folder)
    train = config.get("train") if isinstance(config, dict) else None
    monitor = train.get("monitor") if isinstance(train, dict) else None
    return RunMetrics(name, rows, monitor if isinstance(monitor, str) else "loss")


def charts_of(
    runs: Sequence[RunMetrics], metrics: Sequence[str] = (), *, has_log_y: bool = False
) -> list[Chart]:
    """A chart of each metric; by default of the loss, the monitored metrics and the rate.

    Raises:
        FaultError: no run has this metric.
    """
    known = list(dict.fromkeys(name for run in runs for name in run.metrics))
    usual = dict.fromkeys(["loss", *(run.monitor for run in runs), RATE])
    for name in metrics:
        if name not in known:
            raise config_fault(f"no run has the metric {name}", hint=nearest(name, known))
    chosen = metrics or [name for name in usual if name in known]
    return [_chart(runs, name, has_log_y=has_log_y) for name in dict.fromkeys(chosen)]


def _chart(runs: Sequence[RunMetrics], metric: str, *, has_log_y: bool) -> Chart:
    title = "learning rate" if metric == RATE else label_of(metric)
    is_share = parted(metric)[1] is not None and show_metric(metric, 1.0).endswith("%")
    kept = runs[0].kept if len(runs) == 1 and metric != RATE else None
    return Chart(
        f"{title[:1].upper()}{title[1:]}",
        "epoch",
        "%" if is_share else "",
        list(_series(runs, metric, 100 if is_share else 1)),
        [] if kept is None else [Mark(f"kept (epoch {kept})", x=kept)],
        has_log_y=has_log_y,
    )


def _series(runs: Sequence[RunMetrics], metric: str, factor: int) -> Iterator[Series]:
    """A line for each run and split; runs have colours, or splits if there is one run."""
    for position, run in enumerate(runs):
        keys = {metric: "", **{f"{split}_{metric}": name for split, name in SPLITS.items()}}
        found = [key for key in keys if any(key in row for row in run.rows)]
        for number, key in enumerate(found):
            points = [(row["epoch"], factor * row[key]) for row in run.rows if key in row]
            own = run.name if len(runs) > 1 or not keys[key] else ""
            name = ", ".join(filter(None, (own, keys[key])))
            is_training = len(found) > 1 and number == 0
            yield Series(
                name,
                points,
                "dashed" if is_training else "solid",
                colour=position if len(runs) > 1 else number,
            )
