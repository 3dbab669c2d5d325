"""Checks of progressive resizing: what cannot be combined with it, and which layers do not fit."""

from __future__ import annotations

from dataclasses import replace

from cnnctl.data.augmentation import need_images
from cnnctl.data.samples import DatasetInfo
from cnnctl.errors import ConfigPath, Fault, gathered
from cnnctl.experiment.spec import Experiment
from cnnctl.experiment.tasks import learned_targets
from cnnctl.model import network
from cnnctl.model.layer import Shape
from cnnctl.model.network import NetworkPlan
from cnnctl.model.other_sizes import unfit_size

PATH: ConfigPath = ("train", "progressive_resizing")


def size_count(experiment: Experiment) -> int:
    """The number of sizes that the images of a training have."""
    train, full = experiment.train, experiment.data.whole().shape[1:]
    growing = train.progressive_resizing
    return 1 if growing is None else len(set(growing.sizes(epochs=train.epochs, full=full)))


def pixel_share(experiment: Experiment) -> float:
    """The pixels that a training sees, as a share of those of full images."""
    train, full = experiment.train, experiment.data.whole().shape[1:]
    growing = train.progressive_resizing
    return 1.0 if growing is None else growing.share(epochs=train.epochs, full=full)


def unfit_growth(experiment: Experiment, description: DatasetInfo) -> list[Fault]:
    """What progressive resizing cannot be combined with."""
    if experiment.train.progressive_resizing is None:
        return []
    faults: list[Fault] = []
    with gathered(faults, *PATH):
        need_images(description.shape, kind="progressive_resizing")
    others = {
        "train.max_minutes": experiment.train.max_minutes or experiment.train.plan,
        "distill": experiment.distill,
    }
    for name, other in others.items():
        if other:
            message = f"cannot be combined with {name}"
            faults.append(Fault(message=message, hint="leave one of them out", path=PATH))
    return faults


def unfit_sizes(experiment: Experiment, description: DatasetInfo, plan: NetworkPlan) -> list[Fault]:
    """A size that the network does not take with the same weights."""
    growing = experiment.train.progressive_resizing
    if growing is None or len(plan.input) != 3:
        return []

    def replan(input: Shape) -> NetworkPlan:
        return planned(experiment, description, input=input)

    sizes = growing.sizes(epochs=experiment.train.epochs, full=plan.input[1:])
    fault = unfit_size(plan, dict.fromkeys(sizes), replan=replan)
    return [] if fault is None else [replace(fault, path=PATH)]


def planned(
    experiment: Experiment, description: DatasetInfo, *, input: Shape | None = None
) -> NetworkPlan:
    """The network of an experiment, by default for the shape of its data."""
    targets = learned_targets(experiment, description)
    return network.plan(
        experiment.model,
        input=description.shape if input is None else input,
        classes=targets[0].outputs,
        targets={target.name: target.outputs for target in targets},
    )
