"""The names of the metrics of a run, and how they are displayed."""

from __future__ import annotations

from cnnctl.metrics import METRICS, Number
from cnnctl.metrics.wording import show_loss


def parted(name: str) -> tuple[str, Number | None]:
    """Split `digit_accuracy` into `digit` and its metric; None if it is not a metric."""
    kinds = [kind for kind in METRICS if name == kind or name.endswith(f"_{kind}")]
    metric = METRICS[max(kinds, key=len)]() if kinds else None
    if not isinstance(metric, Number):
        return name, None
    return name.removesuffix(metric.kind).removesuffix("_"), metric


def label_of(name: str) -> str:
    """`digit accuracy`."""
    owner, metric = parted(name)
    label = metric.label if metric else ""
    return " ".join(filter(None, [owner.replace("_", " "), label]))


def show_metric(name: str, value: float) -> str:
    """A value in the format of its metric, or else of a loss."""
    metric = parted(name)[1]
    return metric.show(value) if metric else show_loss(value)
