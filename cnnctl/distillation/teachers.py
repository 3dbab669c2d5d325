"""Opens teachers: a network that cnnctl trained, or one of torchvision's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnctl.checkpoint import Tensors, check_weights, load_weights
from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import Normalize
from cnnctl.errors import checkpoint_fault
from cnnctl.experiment import Task
from cnnctl.experiment.distill import TeacherSource, TorchvisionTeacher, TrainedTeacher
from cnnctl.layout import Part, named
from cnnctl.metrics import Accuracy
from cnnctl.model.layer import Shape
from cnnctl.model.layers.torchvision_models import Torchvision, model_names
from cnnctl.model.matching import match_weights
from cnnctl.model.network import (
    Model,
    NetworkPlan,
    empty_network,
    meta_network,
    new_meta_network,
    plan,
)
from cnnctl.model.weights import DEFAULT, default_weights, is_cached
from cnnctl.model.weights_file import read_weights
from cnnctl.optim.losses.classes import CrossEntropy
from cnnctl.paths import is_there
from cnnctl.sources import open_checkpoint
from cnnctl.target import Target

IMAGENET = "ImageNet"


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network to learn from; its weights are on the CPU."""

    source: TeacherSource
    sha256: str
    """Of its weights and its experiment."""
    plan: NetworkPlan
    weights: Tensors
    tasks: tuple[Task, ...]
    """Without auxiliary classifiers."""
    normalize: Normalize | None
    """The normalisation of its inputs."""
    data: str
    """The kind of its dataset."""
    has_pixels: bool
    input_names: Mapping[str, int] = field(default_factory=dict)
    """The names of its columns or channels; see `DataSet.input_names`."""
    normalize_targets: Mapping[str, Normalize] = field(default_factory=dict)
    """Normalisation of its values, by the name of their target."""
    accuracy: float | None = None
    """On its validation split, if its run was judged by it."""

    @property
    def input(self) -> Shape:
        """The shape of a sample."""
        return self.plan.input

    @property
    def parameters(self) -> int:
        """The number of its parameters."""
        return sum(parameter.numel() for parameter in meta_network(self.plan).parameters())

    @property
    def is_by_chance(self) -> bool:
        """Whether it is hardly better than guessing."""
        if self.accuracy is None or len(self.tasks) != 1 or self.tasks[0].target.kind != "class":
            return False
        return self.accuracy < 1.2 / self.tasks[0].target.outputs

    def network(self, device: torch.device) -> nn.Module:
        """The network on this device, in evaluation mode, without gradients."""
        network: nn.Module = empty_network(self.plan)
        load_weights(network, self.weights)
        return _whole(self.source, network).to(device).eval().requires_grad_(False)

    def on_meta(self) -> nn.Module:
        """A new network on the meta device."""
        return _whole(self.source, new_meta_network(self.plan))


def _whole(source: TeacherSource, network: nn.Module) -> nn.Module:
    """The network whose layers are called as the user knows them."""
    return next(network.children()) if isinstance(source, TorchvisionTeacher) else network


def open_teacher(source: TeacherSource, *, input: Shape) -> Teacher:
    """Read a teacher; `input` is the shape of the student's samples.

    Raises:
        FaultError: it does not exist, is damaged, or could not be downloaded; or it is not the one
            whose hash was recorded.
    """
    if isinstance(source, TorchvisionTeacher):
        teacher = _from_torchvision(source, input)
    else:
        assert isinstance(source, TrainedTeacher)
        teacher = _from_run(source)
    if source.sha256 not in (None, teacher.sha256):
        message = f"{source.called} has changed since the run was started"
        hint = "put the same teacher back, or start a new run"
        raise checkpoint_fault(message, hint=hint)
    return teacher


def would_download(source: TeacherSource) -> bool:
    """Whether opening a teacher would download its weights."""
    if not isinstance(source, TorchvisionTeacher) or source.weights != DEFAULT:
        return False
    return not is_cached(source.model)


def _from_run(source: TrainedTeacher) -> Teacher:
    if not is_there(Path(source.path)):
        name = Path(source.path).name
        known = f"write teacher: {{torchvision: {name}}} for torchvision's network"
        hint = known if name in model_names() else "check the path, or train the teacher first"
        message = f"no such run folder or checkpoint: {source.path}"
        raise checkpoint_fault(message, hint=hint)
    loaded, checkpoint = open_checkpoint(Path(source.path))
    check_weights(meta_network(loaded.plan), checkpoint.weights)
    data: DataSet = loaded.experiment.data
    counters = checkpoint.document.get("counters")
    best = counters.get("best") if isinstance(counters, dict) else None
    is_accuracy = loaded.experiment.train.monitor == Accuracy.kind and data.has_validation
    return Teacher(
        source,
        _fingerprint(checkpoint.weights, checkpoint.document.get("experiment")),
        loaded.plan,
        checkpoint.weights,
        tuple(task for task in loaded.tasks if not task.is_auxiliary),
        _measured(data.normalize),
        data.kind,
        data.has_pixels,
        data.input_names(),
        {
            name: measured
            for name, each in data.target_normalizations.items()
            if (measured := _measured(each))
        },
        float(best) if is_accuracy and isinstance(best, int | float) else None,
    )


def _measured(normalize: Any) -> Normalize | None:
    """Statistics, which every checkpoint of training has."""
    if isinstance(normalize, str):
        message = "has no statistics of its inputs"
        raise checkpoint_fault(message, hint="use a checkpoint that training wrote")
    return normalize if isinstance(normalize, Normalize) else None


def _from_torchvision(source: TorchvisionTeacher, input: Shape) -> Teacher:
    preset = _Preset.of(source.model)
    classes = tuple(source.classes or preset.classes)
    side = source.size or preset.side
    sides = (side, side) if len(input) == 3 else input[1:]
    model = Model(layers=[Torchvision(model=source.model, outputs=len(classes))])
    planned = plan(model, input=(3, *sides), classes=len(classes))
    found = (
        default_weights(source.model)
        if source.weights == DEFAULT
        else read_weights(Path(source.weights))
    )
    matched = match_weights(meta_network(planned), found)
    if matched.left_out:
        message = f"{source.called}: the weights have another number of classes than {len(classes)}"
        hint = "list the classes of its outputs, in their order: classes: […]"
        raise checkpoint_fault(message, hint=hint)
    network = meta_network(planned)
    counters = {
        name: torch.zeros((), dtype=torch.int64)  # which old files lack, and evaluation ignores
        for name in network.state_dict().keys() - matched.tensors.keys()
    }
    weights = matched.tensors | counters
    target = Target("target", classes, len(classes))
    return Teacher(
        source,
        _fingerprint(weights, source.model_dump(mode="json", include={"classes", "size"})),
        planned,
        weights,
        (Task("", target, CrossEntropy(), planned.layers, ()),),
        source.normalize or preset.normalize,
        IMAGENET if source.classes is None else "torchvision",
        has_pixels=True,
    )


@dataclass(frozen=True, slots=True)
class _Preset:
    """What torchvision says of a network's own weights."""

    classes: tuple[str, ...]
    normalize: Normalize
    side: int

    @classmethod
    def of(cls, model: str) -> _Preset:
        from torchvision.models import get_model_weights  # slow to import

        weights: Any = get_model_weights(model).DEFAULT
        transforms = weights.transforms()
        mean, std = list(transforms.mean), list(transforms.std)
        normalize = Normalize(mean=mean, std=std)
        return cls(tuple(weights.meta["categories"]), normalize, int(transforms.crop_size[0]))


def _fingerprint(tensors: Mapping[str, Tensor], facts: Any) -> str:
    """A hash of tensors, by name, and of what is known beside them."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(named(Part.MODEL, tensors).items()):
        digest.update(f"{name} {list(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
