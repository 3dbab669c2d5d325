"""A network with what comes before and after it, as one module: stored samples in, answers out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from cnnctl.errors import config_fault
from cnnctl.export.checking import output_names
from cnnctl.export.original import Original

UNKNOWN = "the statistics of its preprocessing are unknown, since the data cannot be read"


class Scaling(nn.Module):
    """Preprocessing: a factor and a summand for each channel; (N, C, *) in, float32 out."""

    factor: Tensor
    summand: Tensor

    def __init__(self, factor: Tensor, summand: Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)
        self.register_buffer("summand", summand)

    def forward(self, input: Tensor) -> Tensor:
        """Multiply and add."""
        return input.float() * self.factor + self.summand


class Answer(nn.Module):
    """One task's columns of the outputs, activated or brought to their units; (N, *) in and out."""

    def __init__(
        self,
        columns: slice | None,
        *,
        activate: Callable[[Tensor], Tensor] | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        super().__init__()
        self.columns = columns
        self.activate = activate
        self.scaling = scaling

    def forward(self, outputs: Tensor) -> Tensor:
        """Probabilities (N, C), values (N, T), or the outputs as they are."""
        own = outputs if self.columns is None else outputs[:, self.columns]
        own = own if self.activate is None else self.activate(own)
        return own if self.scaling is None else self.scaling(own)


class Whole(nn.Module):
    """A network between preprocessing and answers."""

    def __init__(
        self, network: nn.Module, answers: Mapping[str, Answer], *, scaling: Scaling | None
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.network = network
        self.names = tuple(answers)
        self.answers = nn.ModuleList(answers.values())

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        """(N, *) in; the answers out, by name."""
        prepared = input if self.scaling is None else self.scaling(input)
        outputs = self.network(prepared)
        return {
            name: answer(outputs) for name, answer in zip(self.names, self.answers, strict=True)
        }


def whole(original: Original, *, raw: bool) -> Whole:
    """The module that formats with a graph hold, in evaluation mode.

    Stored samples in, `original.dtype` (N, …), and probabilities or values in their own units out;
    if `raw`, preprocessed inputs in, and outputs as the network gives them. Names are those of
    `output_names`.

    Raises:
        FaultError: the statistics of the preprocessing are unknown, and not `raw`.
    """
    names = output_names(original, raw=raw)
    if raw:
        plain = {
            name: Answer(task.outputs) for name, task in zip(names, original.tasks, strict=True)
        }
        return Whole(original.network, plain, scaling=None).eval()
    known = original.preprocessing
    if known is None:
        raise config_fault(UNKNOWN, hint="use --raw, or give the data with --data")
    answers = {}
    for name, task in zip(names, original.tasks, strict=True):
        if task.target.kind != "values":
            answers[name] = Answer(task.outputs, activate=task.probabilities)
            continue
        normalize = known.normalize_targets.get(task.target.name)
        scaling = Scaling(*reversed(normalize.tensors())) if normalize else None
        answers[name] = Answer(task.outputs, scaling=scaling)
    shape = original.shape
    factors = known.factor_and_summand(1 + len(shape), shape[0], original.dtype)
    return Whole(original.network, answers, scaling=Scaling(*factors)).eval()


def example(original: Original, *, raw: bool) -> Tensor:
    """An input to export with, (2, …): exporters take a batch of one for a constant."""
    return original.random(2, raw=raw)
