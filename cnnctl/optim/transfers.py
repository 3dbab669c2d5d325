"""What a student learns from a layer of its teacher: one class per kind.

A layer's output is (N, C), (N, C, L) or (N, C, H, W). The teacher's is brought to the form that the
student's is compared with once (`taught`), so that it need not be kept whole.
"""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.config.bounds import PositiveFloat
from cnnctl.config.choice import Choice
from cnnctl.config.wording import times
from cnnctl.errors import config_fault

Shape = tuple[int, ...]


class Transfer(Choice, family="transfers", item=True):
    """What a student learns from a layer of its teacher."""

    student: str = Field(min_length=1)
    """Layer of this network, by name."""
    teacher: str = Field(min_length=1)
    """Layer of the first teacher, by name."""
    weight: PositiveFloat = 1.0
    """Weight of its loss in the total loss."""

    @abstractmethod
    def check(self, student: Shape, teacher: Shape) -> None:
        """Check the shapes of both outputs for one sample.

        Raises:
            FaultError: they cannot be compared; the path is empty.
        """

    @abstractmethod
    def taught(self, output: Tensor, *, student: Shape) -> Tensor:
        """What the teacher's output (N, …) says to a student's layer of this shape, (N, …)."""

    def regressor(self, student: Shape, teacher: Shape) -> nn.Module:
        """A module with weights of its own that the student's output passes; by default, none."""
        return nn.Identity()

    @abstractmethod
    def loss(self, output: Tensor, taught: Tensor) -> Tensor:
        """The sum over the samples of their losses.

        Args:
            output: what the regressor makes of the student's output, (N, …).
            taught: see there.
        """


class Hint(Transfer, kind="hint"):
    """The teacher's output itself, through a learned regressor (FitNets, Romero et al. 2015).

    1/2 * |r(s) - t|^2, averaged over the numbers of t rather than added up, so that the weight does
    not depend on the size of the layer. r is a linear layer, or a convolution of size 1, that is
    trained along. Where the teacher's sides differ, its output is averaged to the student's.
    """

    def check(self, student: Shape, teacher: Shape) -> None:
        if len(student) != len(teacher) or not 1 <= len(student) <= 3:
            message = (
                f"the output of {self.student} is {times(student)}, and the teacher's "
                f"{self.teacher} has {times(teacher)}"
            )
            raise config_fault(message, hint="name layers with as many dimensions")

    def taught(self, output: Tensor, *, student: Shape) -> Tensor:
        return averaged(output, student[1:])

    def regressor(self, student: Shape, teacher: Shape) -> nn.Module:
        if len(student) == 1:
            return nn.Linear(student[0], teacher[0])
        convolution = nn.Conv1d if len(student) == 2 else nn.Conv2d
        return convolution(student[0], teacher[0], kernel_size=1)

    def loss(self, output: Tensor, taught: Tensor) -> Tensor:
        return functional.mse_loss(output, taught, reduction="sum") / (2 * taught[0].numel())


class AttentionTransfer(Transfer, kind="attention"):
    """Where the teacher's layer is active (Zagoruyko & Komodakis 2017).

    1/2 * |q_s - q_t|^2, where q = Q / |Q|, and Q is the sum over the channels of the squared output
    at each place. The authors' code averages over the places: its beta divided by their number is
    this weight. Where the teacher's sides differ, its map is averaged to the student's.
    """

    def check(self, student: Shape, teacher: Shape) -> None:
        for owner, name, shape in (
            ("", self.student, student),
            ("the teacher's ", self.teacher, teacher),
        ):
            if len(shape) != len(student) or len(shape) not in (2, 3):
                message = f"the output of {owner}{name} is {times(shape)}, which has no map"
                raise config_fault(message, hint="name convolutions or blocks of both networks")

    def taught(self, output: Tensor, *, student: Shape) -> Tensor:
        return _direction(averaged(_activity(output), student[1:]))

    def loss(self, output: Tensor, taught: Tensor) -> Tensor:
        return functional.mse_loss(_direction(_activity(output)), taught, reduction="sum") / 2


def averaged(output: Tensor, sides: Shape) -> Tensor:
    """An output (N, C, …) averaged, or repeated, to these sides; unchanged if it has them."""
    if output.shape[2:] == sides:
        return output
    if len(sides) == 1:
        return functional.adaptive_avg_pool1d(output, sides[0])
    return functional.adaptive_avg_pool2d(output, (sides[0], sides[1]))


def _activity(output: Tensor) -> Tensor:
    """The sum over the channels of the squared output; (N, C, …) in, (N, 1, …) out."""
    return output.square().sum(dim=1, keepdim=True)


def _direction(activity: Tensor) -> Tensor:
    """A map (N, 1, …) as a vector of length 1, (N, places)."""
    return functional.normalize(activity.flatten(1))
