"""Where the time of the layers goes, by their kind: a profile of a few steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from torch.profiler import ProfilerActivity, profile

from cnnctl.benchmarking.facts import KindTime, Limits
from cnnctl.benchmarking.roofline import Pass
from cnnctl.benchmarking.stepping import Stepper
from cnnctl.model.network import NetworkPlan
from cnnctl.training.ranges import BACKWARD, Ranges

STEPS = 3
"""Steps that are profiled."""


def kind_times(stepper: Stepper, passes: Sequence[Pass], limits: Limits) -> list[KindTime]:
    """The time of the layers of each kind, the longest first; none of a compiled network.

    The profiler makes small layers take longer than they do, so the shares are rough.
    """
    if stepper.setup.experiment.train.compile:
        return []
    taken = _by_kind(_seconds_by_layer(stepper), stepper.setup.loaded.plan)
    whole, least = sum(taken.values()), defaultdict[str, float](float)
    for each in passes:
        least[each.kind] += each.seconds(limits)
    found = [KindTime(kind, time / whole, time, least[kind]) for kind, time in taken.items()]
    return sorted(found, key=lambda each: -each.seconds)


def _seconds_by_layer(stepper: Stepper) -> dict[str, float]:
    """Seconds of a step in each module that has no others in it, forward and backward."""
    ranges, device = Ranges(), stepper.setup.device
    is_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_gpu else [])]
    names = {name for name, _ in stepper.step.run.network.named_modules() if name}
    ranges.name_layers(stepper.step.run.network)
    try:
        with profile(activities=activities) as recorded:
            stepper.take(STEPS)
    finally:
        ranges.close()
    taken = defaultdict[str, float](float)
    for event in recorded.events():
        name = str(event.name).removesuffix(BACKWARD)
        if name in names and event.device_type.name == "CPU":
            microseconds = event.device_time_total if is_gpu else event.cpu_time_total
            taken[name] += microseconds / 1e6 / STEPS
    return taken


def _by_kind(seconds: Mapping[str, float], plan: NetworkPlan) -> dict[str, float]:
    """The same by the kind of the planned layer; a module may be part of one."""
    kinds = {leaf.name: leaf.layer.kind for leaf in plan.leaves()}
    found = defaultdict[str, float](float)
    for name, time in seconds.items():
        owner = next((each for each in _owners(name) if each in kinds), name)
        found[kinds.get(owner, "other")] += time
    return found


def _owners(name: str) -> Iterable[str]:
    """The module and those that it is in, the innermost first."""
    words = name.split(".")
    return (".".join(words[:count]) for count in range(len(words), 0, -1))
