"""A network as a PyTorch module that knows its inputs and its answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypedDict, cast

import torch
from torch import Tensor, nn

from cnnctl.api.sources import check_positive
from cnnctl.data.given import FORMS, named_or_given_inputs
from cnnctl.data.inputs import Input
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.samples import Shape, Target
from cnnctl.device import memory_faults, settings_restored, use_precision
from cnnctl.errors import Fault, FaultError, data_fault, data_faults
from cnnctl.experiment import Experiment, Task
from cnnctl.model.modules import WithAuxiliary
from cnnctl.model.network import NetworkPlan, meta_network
from cnnctl.prediction.answers import answer_all
from cnnctl.prediction.unread import Unread
from cnnctl.prediction.views import with_views
from cnnctl.trained import TrainedNetwork

Prediction = TypedDict(
    "Prediction",
    {
        "input": str,
        "class": str,
        "probability": float,
        "labels": list[str],
        "probabilities": dict[str, float],
        "values": list[float],
        "heads": dict[str, Any],
    },
    total=False,
)
"""The answer for one sample, as `cnnctl predict --jsonl` prints it: `input` is its name; what else
there is depends on what was learned. `heads` has the answer of each head, without `input`."""


@dataclass(frozen=True)
class Facts:
    """What a network is made from; it never changes, so that copies share it."""

    experiment: Experiment
    plan: NetworkPlan
    tasks: tuple[Task, ...]
    epoch: int | None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class Network(WithAuxiliary):
    """A network, with the preprocessing of its inputs and the names of its answers.

    It is a `torch.nn.Sequential` of the layers of its experiment, with the names that they have
    in a checkpoint: move it, train it further, copy it, and save its `state_dict` as any module.
    It takes what `preprocess` returns, (N, *input_shape), and returns logits or normalised values,
    (N, outputs): those of several heads side by side (see `by_head`).
    """

    def __init__(self, modules: nn.Sequential, facts: Facts) -> None:
        """Take over the layers of a network; `load` and `build` call this."""
        super().__init__()
        # past add_module, which refuses names of layers that are also those of methods here
        self._modules.update(modules.named_children())
        self.train(modules.training)
        self._facts = facts

    def __getitem__(self, at: Any) -> Any:
        """The layer at a position; a slice is a plain `nn.Sequential` of the same layers."""
        if isinstance(at, slice):
            return nn.Sequential(OrderedDict(list(self._modules.items())[at]))
        return super().__getitem__(at)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of classes or labels, in the order of the outputs; none for values.

        With several heads, they begin with the name of their head: `size.small`; a single value
        has that name alone.
        """
        if len(self.targets) == 1:
            return next(iter(self.targets.values())).class_names
        return tuple(name for target in self.targets.values() for name in _output_names(target))

    @property
    def targets(self) -> dict[str, Target]:
        """What the network answers, by name; one for each head."""
        return {task.target.name: task.target for task in self._facts.tasks}

    @property
    def input_shape(self) -> Shape:
        """The shape of one prepared sample: (C, H, W), (C, L) or (F,)."""
        return self._facts.plan.input

    @property
    def config(self) -> dict[str, Any]:
        """The experiment as plain data, with all defaults."""
        return self._facts.experiment.plain()

    @property
    def epoch(self) -> int | None:
        """The number of epochs that it was trained for; 0 if untrained, None if unknown."""
        return self._facts.epoch

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next((each.device for each in self._tensors()), torch.device("cpu"))

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.parameters()
        yield from self.buffers()

    def preprocess(self, inputs: object) -> Tensor:
        """Prepare samples as in training, without augmentation: (N, *input_shape), on `device`.

        inputs: a picture (a path, a Pillow image, an array, a tensor, or the bytes of its file), a
            row (a mapping from columns to cells), numbers, or several: a list of these, a batch of
            an array or a tensor, a data frame, a folder, an archive or a table. A single one is a
            batch of one. Pixels are bytes, or from 0 to 1, and not normalised.

        Raises:
            FaultError: one cannot be read or does not fit; there are none; or the network was
                never trained, and its normalisation not measured.
        """
        stored = _read(named_or_given_inputs(inputs, self._facts.experiment.data))
        preprocessing = Preprocessing.of(self._facts.experiment.data)
        if len({each.dtype for each in stored}) == 1:
            prepared = preprocessing.inputs(torch.stack(stored))
        else:  # bytes beside floating-point pixels, which cannot be stacked
            prepared = torch.cat([preprocessing.inputs(each[None]) for each in stored])
        dtype = next((each.dtype for each in self.parameters()), prepared.dtype)
        return prepared.to(self.device, dtype)

    def predict(
        self, inputs: object, *, top_k: int | None = None, views: int = 1
    ) -> list[Prediction]:
        """Answer for samples, bit by bit as `cnnctl predict` does on the same device.

        inputs: as in `preprocess`.
        top_k: so many of the most probable classes are in `probabilities`; by default, all.
        views: average the outputs over so many views of each image; see `evaluate`.

        The network computes in evaluation mode; the modes of its layers are restored.

        Raises:
            FaultError: one cannot be read or does not fit; samples have no such views; memory
                runs out.
        """
        check_positive("top_k", top_k)
        unread = Unread(hint="give fewer at a time")
        found = named_or_given_inputs(inputs, self._facts.experiment.data)
        trained = trained_network(self)
        with settings_restored(), _modes_kept(self), memory_faults(trained.device):
            use_precision(trained.experiment.train.precision, trained.device)
            answered = list(unread.noting(answer_all(with_views(trained, views), found)))
        unread.report()
        return [cast("Prediction", each.to_json(top=top_k)) for each in answered]

    def by_head(self, outputs: Tensor) -> dict[str, Tensor]:
        """The outputs (N, …) of each head, by name; without heads, all outputs of the one target.

        Those of auxiliary classifiers, which follow in training, are left out.
        """
        return {
            task.target.name: outputs if task.outputs is None else outputs[:, task.outputs]
            for task in self._facts.tasks
        }

    def extra_repr(self) -> str:
        """What it is, above its layers."""
        weights = sum(each.numel() for each in self.parameters())
        answers = ", ".join(_described(name, each) for name, each in self.targets.items())
        return (
            f"{self._facts.experiment.name}: {tuple(self.input_shape)} -> {answers}\n"
            f"{weights:,} parameters, {_trained_for(self.epoch)}"
        )


def trained_network(network: Network) -> TrainedNetwork:
    """The same as the rest of the program has it: the network where it is, as it is."""
    facts = network._facts
    device, epoch = network.device, facts.epoch
    return TrainedNetwork(facts.experiment, facts.plan, facts.tasks, network, device, epoch)


def plan_of(network: Network) -> NetworkPlan | None:
    """The plan of a network; None if it has had other layers since it was built."""
    plan = network._facts.plan
    return plan if _form_of(network) == _form_of(meta_network(plan)) else None


def _form_of(network: nn.Module) -> list[object]:
    tensors = ((name, tuple(each.shape)) for name, each in network.state_dict().items())
    below = (pair for pair in network.named_modules() if pair[0])
    return [*tensors, *((name, type(module)) for name, module in below)]


def _trained_for(epochs: int | None) -> str:
    if epochs is None:
        return "trained"
    return f"trained for {epochs:,} epoch{'s' * (epochs != 1)}" if epochs else "untrained"


def _output_names(target: Target) -> list[str]:
    if target.kind == "values" and target.outputs == 1:
        return [target.name]
    return [f"{target.name}.{own}" for own in target.class_names or range(target.outputs)]


def _described(name: str, target: Target) -> str:
    number, kind = target.outputs, "classes" if target.kind == "class" else target.kind
    noun = kind.removesuffix("s") if number == 1 and kind != "classes" else kind
    return f"{name}: {number} {noun}"


def _read(inputs: Iterator[Input]) -> list[Tensor]:
    """The stored samples.

    Raises:
        FaultError: some cannot be read, or there are none.
    """
    stored, faults = list[Tensor](), list[Fault]()
    for each in inputs:
        try:
            stored.append(each.read())
        except FaultError as error:
            faults += error.faults
    if faults:
        raise data_faults(faults)
    if not stored:
        raise data_fault("no inputs given", hint=FORMS)
    return stored


@contextmanager
def _modes_kept(network: nn.Module) -> Iterator[None]:
    """Restore which modules are in training mode: some may be frozen in evaluation mode."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
