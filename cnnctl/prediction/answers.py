"""What a trained network answers for new inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.device_store import DeviceStore
from cnnctl.data.inputs import Input
from cnnctl.data.loader import Batches
from cnnctl.data.samples import Samples
from cnnctl.errors import ExitCode, Fault, FaultError
from cnnctl.experiment import Task
from cnnctl.prediction.outputs import block_size, collect_outputs
from cnnctl.trained import TrainedNetwork
from cnnctl.world import World


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one task for one sample."""

    task: Task
    numbers: tuple[float, ...]
    """The probability of each class or label, or values in the units of the dataset."""

    @property
    def ranked(self) -> list[tuple[str, float]]:
        """Classes or labels with their probabilities, the most probable first."""
        named = zip(self.task.target.class_names, self.numbers, strict=True)
        return sorted(named, key=lambda each: -each[1])

    @property
    def labels(self) -> list[str]:
        """The labels whose probabilities are above their thresholds."""
        names, thresholds = self.task.target.class_names, self.task.thresholds
        found = zip(names, self.numbers, thresholds, strict=True)
        return [name for name, probability, threshold in found if probability > threshold]

    def to_json(self, *, top: int | None = None) -> dict[str, Any]:
        """The same as plain data, with the `top` most probable classes or all of them."""
        if self.task.target.kind == "values":
            return {"values": list(self.numbers)}
        found = {"probabilities": dict(self.ranked[:top])}
        if self.task.target.kind == "labels":
            return {"labels": self.labels, **found}
        return {"class": self.ranked[0][0], "probability": self.ranked[0][1], **found}


@dataclass(frozen=True, slots=True)
class Answered:
    """An input with the answer to every task, or the reason why there is none."""

    name: str
    answers: tuple[Answer, ...] = ()
    fault: FaultError | None = None

    def to_json(self, *, top: int | None = None) -> dict[str, Any]:
        """The same as plain data: with heads, an object of each in `heads`."""
        facts: dict[str, Any] = {"input": self.name}
        if self.fault is not None:
            return facts | {"error": self.fault.faults[0].message}
        if self.answers[0].task.name:
            return facts | {"heads": {own.task.name: own.to_json(top=top) for own in self.answers}}
        return facts | self.answers[0].to_json(top=top)


def answer_all(trained: TrainedNetwork, inputs: Iterable[Input]) -> Iterator[Answered]:
    """Answer for every input, in their order; only one block of them is in memory.

    Raises:
        FaultError: the inputs are not found (those that cannot be read have a fault each).
    """
    size, waiting = block_size(trained.plan, trained.device), iter(inputs)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        while block := list(islice(waiting, size)):
            read = list(pool.map(_read, block))
            answers = _answers_by_dtype(trained, read)
            for each, found in zip(block, read, strict=True):
                if isinstance(found, FaultError):
                    yield Answered(each.name, fault=found)
                else:
                    yield Answered(each.name, next(answers[found.dtype]))


def answer_together(
    trained: TrainedNetwork, inputs: Iterable[Input], world: World
) -> Iterator[Answered]:
    """`answer_all`, whose blocks are divided among the ranks; all get the same answers.

    Raises:
        FaultError: as `answer_all`; or a rank is lost (exit code 10).
    """
    if world.size == 1:
        yield from answer_all(trained, inputs)
        return
    size, waiting = block_size(trained.plan, trained.device), iter(inputs)
    while dealt := list(islice(waiting, size * world.size)):
        own = dealt[world.rank * size : (world.rank + 1) * size]
        found = [_packed(each) for each in answer_all(trained, own)]
        world.meet()
        for part in world.gather(found):
            yield from (_unpacked(each, trained.tasks) for each in part)


def _packed(answered: Answered) -> dict[str, Any]:
    """An answer as plain data, for other ranks."""
    error = answered.fault
    return {
        "name": answered.name,
        "numbers": [answer.numbers for answer in answered.answers],
        "faults": [asdict(fault) for fault in error.faults] if error else [],
        "code": error.exit_code if error else ExitCode.DONE,
    }


def _unpacked(packed: dict[str, Any], tasks: Sequence[Task]) -> Answered:
    name, numbers = packed["name"], packed["numbers"]
    if packed["faults"]:
        faults = map(_unpacked_fault, packed["faults"])
        return Answered(name, fault=FaultError(*faults, exit_code=ExitCode(packed["code"])))
    named = zip(tasks, numbers, strict=True)
    return Answered(name, tuple(Answer(task, tuple(own)) for task, own in named))


def _unpacked_fault(packed: dict[str, Any]) -> Fault:
    path = tuple(packed.pop("path"))
    return Fault(message=packed.pop("message"), hint=packed.pop("hint"), path=path, **packed)


def _answers_by_dtype(
    trained: TrainedNetwork, read: Sequence[Tensor | FaultError], *, size: int | None = None
) -> dict[torch.dtype, Iterator[tuple[Answer, ...]]]:
    """The answers for the samples that could be read, those of one dtype in their order.

    Bytes are pixels up to 255, other numbers are not: they cannot be stacked.
    """
    stacks: dict[torch.dtype, list[Tensor]] = {}
    for each in read:
        if isinstance(each, Tensor):
            stacks.setdefault(each.dtype, []).append(each)
    return {
        dtype: iter(answer(trained, torch.stack(samples), size=size))
        for dtype, samples in stacks.items()
    }


def answer_each(
    trained: TrainedNetwork, samples: Sequence[Tensor], *, size: int | None = None
) -> list[tuple[Answer, ...]]:
    """The answers for stored samples (…), whatever their dtypes, in their order; see `answer`."""
    answers = _answers_by_dtype(trained, samples, size=size)
    return [next(answers[each.dtype]) for each in samples]


def _read(input: Input) -> Tensor | FaultError:
    try:
        return input.read()
    except FaultError as error:
        return error


def answer(
    trained: TrainedNetwork, stored: Tensor, *, size: int | None = None
) -> list[tuple[Answer, ...]]:
    """The answers for samples as the dataset stores them, (N, …): of each task for each.

    size: of the blocks they are computed in, one of `sizes_alike` (default: `block_size`).
    """
    tasks = trained.tasks
    numbers = [_as_short(each) for each in numbers_of(trained, stored, size=size)]
    return [
        tuple(Answer(task, own) for task, own in zip(tasks, each, strict=True))
        for each in zip(*numbers, strict=True)
    ]


def numbers_of(trained: TrainedNetwork, stored: Tensor, *, size: int | None = None) -> list[Tensor]:
    """The numbers of an `Answer`, (N, outputs) float32 for each task, for (N, …) stored samples."""
    samples = Samples(stored, torch.zeros(len(stored)))
    store = DeviceStore(samples, preprocessing=trained.preprocessing, device=trained.device)
    batches = Batches(store, batch_size=size or block_size(trained.plan, trained.device))
    precision = trained.experiment.train.precision
    outputs, _ = collect_outputs(
        trained.network, batches.in_order(filled=True), precision=precision
    )
    return [_numbers(trained, task, outputs) for task in trained.tasks]


def _numbers(trained: TrainedNetwork, task: Task, outputs: Tensor) -> Tensor:
    own = outputs if task.outputs is None else outputs[:, task.outputs]
    is_value = task.target.kind == "values"
    found = trained.in_own_units(task, own) if is_value else task.probabilities(own)
    return found.float().cpu()


def _as_short(numbers: Tensor) -> list[tuple[float, ...]]:
    """The numbers of every sample, as short as float32 allows."""
    return [tuple(map(_shortest, row)) for row in numbers.numpy()]


def _shortest(number: np.float32) -> float:
    """The float64 of fewest digits that is this float32."""
    return float(str(number))
