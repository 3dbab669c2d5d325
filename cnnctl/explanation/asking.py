"""From what a user asks for to an explanation: method, samples and output are found and checked."""

from __future__ import annotations

from dataclasses import dataclass

from cnnctl.data.preparation import SplitName
from cnnctl.errors import config_fault, either, nearest
from cnnctl.experiment import Task
from cnnctl.explanation.choosing import FEW, at_most, positions_in, worst
from cnnctl.explanation.explanation import Explanation
from cnnctl.explanation.method import Method
from cnnctl.explanation.methods import METHODS
from cnnctl.explanation.request import Request, output_named, task_named
from cnnctl.extras import require
from cnnctl.subject import Chosen, Subject

"""The extra of cnnctl that installs a package."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks for; None for what is left to us."""

    method: str | None = None
    files: tuple[str, ...] = ()
    samples: str | None = None
    worst: int | None = None
    split: SplitName | None = None
    target: str | None = None
    head: str | None = None
    layer: str | None = None
    unit: int | None = None
    attack: str | None = None
    epsilon: float | None = None


def explained(subject: Subject, asked: Asked) -> Explanation:
    """Explain what is asked for.

    Raises:
        FaultError: there is no such method, sample, layer, class or head, the method does not fit
            the network, or it needs a package that is not installed.
    """
    method = _method(subject, asked)
    task = task_named(subject.tasks, asked.head)
    request = Request(
        subject,
        task,
        _samples(subject, task, asked) if method.needs_samples else None,
        target=output_named(task, asked.target),
        layer=asked.layer,
        unit=asked.unit,
        attack=asked.attack,
        epsilon=asked.epsilon,
    )
    return method.explain(request)


def _method(subject: Subject, asked: Asked) -> Method:
    """The method that is asked for, or the one for this kind of network."""
    name = asked.method or _default(subject)
    if name not in METHODS:
        raise config_fault(f"--method: no method is named {name!r}", hint=nearest(name, [*METHODS]))
    method = METHODS[name]
    if reason := method.misfit(subject):
        fitting = [each.name for each in METHODS.values() if not each.misfit(subject)]
        raise config_fault(f"{name} {reason}", hint=f"use --method {either(fitting)}")
    if method.package:
        require(method.package, what=f"{name} needs", otherwise="use --method saliency")
    _check_options(method, asked)
    return method


def _default(subject: Subject) -> str:
    """Grad-CAM where there is a map of convolutions to look at, or else integrated gradients."""
    return "integrated-gradients" if METHODS["grad-cam"].misfit(subject) else "grad-cam"


def _check_options(method: Method, asked: Asked) -> None:
    """Raise a fault for options that the method does not take."""
    given: dict[str, object] = {"target": asked.target, "layer": asked.layer, "unit": asked.unit}
    given |= {"attack": asked.attack, "epsilon": asked.epsilon}
    if not method.needs_samples:
        given |= {"samples": asked.samples, "worst": asked.worst, "split": asked.split}
        given["INPUT"] = asked.files or None
    for name, value in given.items():
        if value is not None and name not in method.options:
            option = name if name == "INPUT" else f"--{name}"
            raise config_fault(f"{method.name} takes no {option}", hint=f"omit {option}")


def _samples(subject: Subject, task: Task, asked: Asked) -> Chosen:
    ways = {"INPUT": asked.files, "--samples": asked.samples, "--worst": asked.worst}
    chosen = [name for name, value in ways.items() if value]
    if len(chosen) > 1:
        raise config_fault(f"{' and '.join(chosen)} both choose samples", hint="use one of them")
    if asked.files:
        if asked.split:
            raise config_fault("files are of no split", hint="omit --split")
        return at_most(subject.files(asked.files))
    if asked.worst:
        return worst(subject, task, asked.worst, asked.split)
    if asked.samples is not None:
        return at_most(subject.chosen(positions_in(asked.samples), asked.split))
    count = min(FEW, len(subject.split(asked.split)[0]))
    return subject.chosen(range(count), asked.split)
