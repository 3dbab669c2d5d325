"""What is to be explained: a network, samples, and of each sample one output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from cnnctl.errors import config_fault, nearest
from cnnctl.experiment import Task
from cnnctl.subject import Chosen, Subject

Score = Callable[[Tensor], Tensor]
"""Inputs (N, …) in, one number for each out, (N,)."""


@dataclass(frozen=True)
class Request:
    """A network and samples, one of its outputs for each, and the options of the method."""

    subject: Subject
    task: Task
    chosen: Chosen | None = None
    """None for methods that look at the network alone."""
    target: int | None = None
    """Number of the class, label or value to explain; by default what is predicted."""
    layer: str | None = None
    unit: int | None = None
    attack: str | None = None
    """The attack that makes adversarial samples."""
    epsilon: float | None = None
    """Its strength: the largest change of any value."""

    @property
    def network(self) -> nn.Module:
        """The network, in evaluation mode."""
        return self.subject.trained.network

    @property
    def samples(self) -> Chosen:
        """The samples, for methods that need some."""
        assert self.chosen is not None  # the command chooses some for methods that need them
        return self.chosen

    def looking_at(self, layer: str) -> Request:
        """The same request, for this layer."""
        return replace(self, layer=layer)

    @cached_property
    def shares(self) -> Tensor:
        """The probability of each class or label, or the values in their units; (N, outputs)."""
        with torch.no_grad():
            return torch.cat([self.shares_of(each) for each in torch.split(self.samples.inputs, 1)])

    @cached_property
    def predicted(self) -> tuple[int, ...]:
        """The number of the likeliest class or label of each sample; of values, the first."""
        if self.task.target.kind == "values":
            return (0,) * len(self.shares)
        return tuple(self.shares.argmax(1).tolist())

    @cached_property
    def explained(self) -> tuple[int, ...]:
        """The number of the output to explain of each sample."""
        return self.predicted if self.target is None else (self.target,) * len(self.shares)

    def cases(self) -> Iterator[tuple[Tensor, int]]:
        """Each sample, (1, …), with the number of the output to explain."""
        yield from zip(torch.split(self.samples.inputs, 1), self.explained, strict=True)

    def output(self, number: int) -> Score:
        """The output for a class, label or value, before probabilities are made of it.

        Where one output stands for two classes, that of the first class is its negative.
        """

        return lambda inputs: self.outputs(inputs)[:, number]

    def outputs(self, inputs: Tensor) -> Tensor:
        """All of these outputs, (N, classes, labels or values)."""
        own = self._own_outputs(inputs)
        is_one_for_two = own.shape[1] == 1 and self.task.target.kind == "class"
        return torch.cat([-own, own], dim=1) if is_one_for_two else own

    def share(self, number: int) -> Score:
        """The probability of a class or label, or the value in its unit."""
        return lambda inputs: self.shares_of(inputs)[:, number]

    def name_of(self, number: int) -> str:
        """The name of a class, label or value."""
        names = self.task.target.class_names
        if names:
            return names[number]
        several = f" {number + 1}" if self.task.target.outputs > 1 else ""
        return f"{self.task.name or 'value'}{several}"

    def _own_outputs(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.network(inputs).float()
        return outputs if self.task.outputs is None else outputs[:, self.task.outputs]

    def shares_of(self, inputs: Tensor) -> Tensor:
        """The probability of each class or label, or the values in their units; (N, outputs)."""
        own = self._own_outputs(inputs)
        if self.task.target.kind == "values":
            return self.subject.trained.in_own_units(self.task, own.cpu()).to(own.device)
        return self.task.probabilities(own)


def task_named(tasks: Sequence[Task], name: str | None) -> Task:
    """The task of this head, by default the first.

    Raises:
        FaultError: no head has this name.
    """
    if name is None:
        return tasks[0]
    found = [task for task in tasks if task.name == name]
    if not found:
        names = [task.name for task in tasks if task.name]
        hint = nearest(name, names) if names else "omit --head"
        raise config_fault(f"--head: no head is named {name!r}", hint=hint)
    return found[0]


def output_named(task: Task, name: str | None) -> int | None:
    """The number of a class or label by its name, of a value by its position from 1.

    Raises:
        FaultError: there is none.
    """
    if name is None:
        return None
    names = task.target.class_names or tuple(map(str, range(1, task.target.outputs + 1)))
    if name not in names:
        noun = {"class": "class", "labels": "label", "values": "value"}[task.target.kind]
        raise config_fault(f"--target: no {noun} is named {name!r}", hint=nearest(name, names))
    return names.index(name)
