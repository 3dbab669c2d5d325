"""The section `distill`: the teachers, and what is learned from them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cnnctl.config.bounds import PositiveInt, UnitInterval
from cnnctl.config.choice import Choice, Spec, refusal
from cnnctl.data.normalization import Normalize
from cnnctl.data.paths import DataPath
from cnnctl.model.layers.torchvision_models import ModelName
from cnnctl.optim.transfers import Transfer

Temperature = Annotated[float, Field(ge=0.01, le=1000)]


class TeacherSource(Choice, family="teachers", item=True):
    """A trained network to learn from."""

    sha256: str | None = None
    """Hash of its weights and its experiment, filled in when training starts: a run resumes with
    the same teacher only."""

    @property
    @abstractmethod
    def called(self) -> str:
        """What messages call it."""


class TrainedTeacher(TeacherSource, kind="run", short="path"):
    """A network that cnnctl has trained."""

    path: DataPath
    """Run folder or checkpoint; a path alone stands for `run: PATH`."""

    @property
    def called(self) -> str:
        return self.path


class TorchvisionTeacher(TeacherSource, kind="torchvision", short="model"):
    """A torchvision classification network with its pretrained weights.

    Its inputs are normalised and sized as torchvision's own weights expect them.
    """

    model: ModelName
    """Name in torchvision.models, such as resnet18."""
    weights: Literal["DEFAULT"] | DataPath = "DEFAULT"
    """Weights file, or DEFAULT for torchvision's, which are downloaded once."""
    classes: Annotated[list[str], Field(min_length=2)] | None = None
    """Class names in the order of its outputs (default: the 1,000 of ImageNet)."""
    normalize: Normalize | None = None
    """Mean and standard deviation of its inputs (default: those of ImageNet)."""
    size: PositiveInt | None = None
    """Side of its inputs, in pixels (default: as torchvision's own weights)."""

    @property
    def called(self) -> str:
        return f"torchvision's {self.model}"


def _as_list(value: Any) -> Any:
    """Teachers in their full form: `runs/a` is `[{run: runs/a}]`."""
    items = value if isinstance(value, list) else [value]
    return [{"run": item} if isinstance(item, str) else item for item in items]


_MANY = Field(min_length=1, max_length=100)
_IN_FULL = BeforeValidator(
    _as_list,
    json_schema_input_type=DataPath
    | TeacherSource
    | Annotated[list[DataPath | TeacherSource], _MANY],
)


class Distillation(Spec):
    """Learning from the answers of trained networks, the teachers (Hinton et al. 2015).

    The loss is weight * T^2 * KL(teacher || student) + (1 - weight) * the loss of the targets, plus
    that of the layers. KL is the divergence of both softmaxes of logits / T, averaged over the
    batch. Labels have the binary cross-entropy of sigmoids in its place, and values the squared
    error, without T.
    """

    teacher: Annotated[list[TeacherSource], _MANY, _IN_FULL]
    """Run folder, checkpoint, `torchvision: NAME`, or a list of these, whose probabilities are
    averaged."""
    temperature: Temperature = 4.0
    """Temperature T, by which the logits of both are divided."""
    weight: UnitInterval = 0.7
    """Share of the teacher's answers in the loss; the rest is that of the targets."""
    layers: list[Transfer] = []
    """Layers to learn from, beside the answers; those of the first teacher."""

    @model_validator(mode="after")
    def _teaches_something(self) -> Self:
        if not self.weight and not self.layers:
            hint = "use a weight above 0, or name layers"
            raise refusal("nothing is learned from the teacher", hint=hint)
        return self
