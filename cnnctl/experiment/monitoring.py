"""Checks of what is monitored: metrics that apply to what is learned, and where to measure them."""

from __future__ import annotations

from cnnctl.data.samples import DatasetInfo
from cnnctl.errors import ConfigPath, Fault, either
from cnnctl.experiment.spec import Experiment
from cnnctl.experiment.tasks import learned_targets
from cnnctl.metrics import METRICS, Metric, Watched, watched
from cnnctl.metrics.naming import label_of
from cnnctl.optim.schedulers.plateau import Plateau
from cnnctl.target import NOUNS, TargetKind


def learned_kinds(experiment: Experiment, description: DatasetInfo) -> set[TargetKind]:
    """The kinds of what is learned."""
    return {target.kind for target in learned_targets(experiment, description)}


def measures(metric: type[Metric], experiment: Experiment, description: DatasetInfo) -> bool:
    """Whether something that is learned is of a kind that the metric measures."""
    return not learned_kinds(experiment, description).isdisjoint(metric.measures)


def unwatched(experiment: Experiment, description: DatasetInfo) -> list[Fault]:
    """Metrics that nothing learned has, or that have no validation split to be measured on."""
    faults = []
    kind = experiment.data.kind
    monitor = METRICS.get(experiment.train.monitor)
    if monitor and not measures(monitor, experiment, description):
        faults.append(_unfit_monitor(monitor, learned_kinds(experiment, description), kind))
    elif monitor:
        faults += _unmeasured(monitor, experiment, path=("train", "monitor"))
    stopping = experiment.regularization.early_stopping
    own = METRICS.get(stopping.monitor) if stopping else None
    if own and not measures(own, experiment, description):
        path = ("regularization", "early_stopping", "monitor")
        message = f"there is no {label_of(own.kind)} to monitor"
        faults.append(Fault(message=message, hint="use loss", path=path))
    if stopping and not experiment.data.has_validation:
        message = "early stopping needs a validation split, which is empty"
        where = ("regularization", "early_stopping")
        faults.append(Fault(message=message, hint="set data.validation=0.1", path=where))
    if isinstance(experiment.scheduler, Plateau):
        faults += _unfit_plateau(experiment.scheduler, experiment, description)
    return faults


def _unmeasured(metric: type[Metric], experiment: Experiment, *, path: ConfigPath) -> list[Fault]:
    """A metric that is measured on the validation split only, where there is none."""
    if experiment.data.has_validation or watched(metric.kind).is_always_followed:
        return []
    message = f"there is no validation split to measure {label_of(metric.kind)} on"
    hint = "set data.validation=0.1, or use auto"
    return [Fault(message=message, hint=hint, path=path)]


def _unfit_plateau(
    scheduler: Plateau, experiment: Experiment, description: DatasetInfo
) -> list[Fault]:
    metric, label = METRICS[scheduler.watches], label_of(scheduler.watches)
    is_named = scheduler.monitor != "auto"
    path = ("scheduler", "monitor" if is_named else "mode")
    if not measures(metric, experiment, description):
        hint = "use loss" if is_named else "use min"
        return [Fault(message=f"there is no {label} to monitor", hint=hint, path=path)]
    if scheduler.mode not in ("auto", scheduler.direction):
        message = f"{scheduler.mode} would reduce the rate when {label} improves"
        hint = f"use {scheduler.direction}, or leave it out"
        return [Fault(message=message, hint=hint, path=("scheduler", "mode"))]
    return _unmeasured(metric, experiment, path=path)


def _unfit_monitor(monitor: type[Metric], learned: set[TargetKind], data: str) -> Fault:
    if learned == {"values"}:
        message = f"{data} is a regression dataset, so there is no {label_of(monitor.kind)}"
    else:
        wanted = either([NOUNS[kind] for kind in monitor.measures])
        given = either([NOUNS[kind] for kind in sorted(learned)])
        message = f"{label_of(monitor.kind)} is for {wanted}, but {data} has {given}"
    watchable = (metric for metric in METRICS.values() if issubclass(metric, Watched))
    fitting = [metric.kind for metric in watchable if learned.intersection(metric.measures)]
    return Fault(message=message, hint=f"use {either(fitting)}", path=("train", "monitor"))


def one_name_for_two(experiment: Experiment, _: DatasetInfo) -> list[Fault]:
    """Heads whose metric would have the name of another metric."""
    stopping = experiment.regularization.early_stopping
    asked = {experiment.train.monitor, experiment.scheduler.watches}
    asked.add(stopping.monitor if stopping else "")
    followed = [
        kind
        for kind, metric in METRICS.items()
        if issubclass(metric, Watched) and (metric.is_always_followed or kind in asked)
    ]
    faults, taken = [], set(followed)
    for head in experiment.model.heads:
        for name in (f"{head}_{kind}" for kind in followed):
            if name in taken:
                message = f"two metrics would be named {name}"
                path = ("model", "heads", head)
                hint = "rename the target, or monitor another metric"
                faults.append(Fault(message=message, hint=hint, path=path, at_key=True))
            taken.add(name)
    return faults
