"""From a network and a sample to the facts of a trace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from cnnctl.device import use_precision
from cnnctl.experiment import Experiment, tasks_of
from cnnctl.optim.schedulers.decays import Constant
from cnnctl.subject import Chosen, Subject
from cnnctl.tracing.facts import StepFacts, Trace
from cnnctl.tracing.recording import parts
from cnnctl.tracing.rehearsal import Rehearsal, rehearse
from cnnctl.tracing.steps import back_only, forward_only, take_step
from cnnctl.tracing.units import UnitView
from cnnctl.training.assembly import assemble
from cnnctl.training.run import Run
from cnnctl.training.step import Batch

Mode = Literal["training", "evaluation"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to trace of a sample."""

    steps: int = 1
    mode: Mode = "training"
    unit: str = ""
    """`layer` or `layer.number`."""
    at: tuple[int, ...] = ()
    """Channel, row and column of an output of that layer."""


def gather(subject: Subject, sample: Chosen, request: Request) -> Trace:
    """Trace one sample; without a target, there is a forward pass only.

    Raises:
        FaultError: the unit does not exist, or the loss is not finite.
    """
    experiment = _exact(subject.experiment)
    use_precision("fp32", subject.trained.device)
    network = subject.trained.network
    rehearsal = rehearse(network, subject.trained.plan, sample.inputs)
    index = rehearsal.index_of(request.unit, request.at) if request.unit or request.at else ("", ())
    torch.manual_seed(experiment.seed)
    steps = _steps(subject, experiment, sample, request, rehearsal, UnitView(*index))
    return Trace(
        name=experiment.name,
        sample=sample.names[0],
        mode=request.mode,
        steps=steps,
        notes=list(_notes(subject, sample, request, rehearsal)),
    )


def _exact(experiment: Experiment) -> Experiment:
    """The experiment in float32 on a CPU, a batch a step."""
    exact = {
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous_format",
        "compile": False,
        "accumulate": 1,
    }
    train = experiment.train.model_copy(update=exact)
    return experiment.model_copy(update={"train": train})


def _steps(
    subject: Subject,
    experiment: Experiment,
    sample: Chosen,
    request: Request,
    rehearsal: Rehearsal,
    view: UnitView,
) -> list[StepFacts]:
    """One step or several; of a network without weights, or without a target, no update."""
    trained = subject.trained
    tasks = tasks_of(experiment, trained.plan, subject.data.whole())
    if sample.targets is None:
        _set_mode(trained.network, request, rehearsal)
        return [forward_only(trained.network, trained.plan, tasks, sample.inputs, view)]
    batch: Batch = sample.inputs, sample.targets
    if not any(True for _ in trained.network.parameters()):
        _set_mode(trained.network, request, rehearsal)
        return [back_only(trained.network, trained.plan, tasks, batch, view)]
    steps_per_epoch = _steps_per_epoch(subject)
    run = assemble(
        experiment,
        plan=trained.plan,
        tasks=tasks,
        device=trained.device,
        steps_per_epoch=steps_per_epoch,
    )
    run.network.load_state_dict(trained.network.state_dict())
    _go_to_epoch(run, trained.epoch or 0, steps_per_epoch)
    run.begin_epoch()
    _set_mode(run.network, request, rehearsal, is_begun=True)
    return [
        take_step(run, batch, replace(view), number=number)
        for number in range(1, request.steps + 1)
    ]


def _steps_per_epoch(subject: Subject) -> int:
    """Steps of the optimizer in an epoch, which the rate of a schedule depends on."""
    if (
        isinstance(subject.experiment.scheduler, Constant)
        and not subject.experiment.scheduler.warmup
    ):
        return 1
    _, batches = subject.split("train")
    return max(1, -(-len(batches) // subject.experiment.train.accumulate))


def _go_to_epoch(run: Run, epoch: int, steps_per_epoch: int) -> None:
    """Put the schedule behind this epoch, or in the last step of the run."""
    last = run.experiment.train.epochs * steps_per_epoch - 1
    run.counters.epoch = min(epoch, run.experiment.train.epochs - 1)
    run.counters.step = min(epoch * steps_per_epoch, last)


def _set_mode(
    network: nn.Module, request: Request, rehearsal: Rehearsal, *, is_begun: bool = False
) -> None:
    """Training or evaluation; batch norms of a single value stay in evaluation."""
    if request.mode == "evaluation":
        network.eval()
    elif not is_begun:
        network.train()
    for name in rehearsal.lonely:
        network.get_submodule(name).eval()
    inner: Iterator[Any] = network.modules()
    for module in inner:
        if hasattr(module, "inplace"):
            module.inplace = False  # or the recorded outputs would be those of the next module


def _notes(
    subject: Subject, sample: Chosen, request: Request, rehearsal: Rehearsal
) -> Iterator[str]:
    """What the reader has to know to believe the numbers."""
    network, plan = subject.trained.network, subject.trained.plan
    named = list(parts(network, plan))
    if subject.data.normalize:
        yield "the input is normalised, as the network takes it"
    if sample.targets is None:
        yield "without a target, there is no loss; add --target"
    elif subject.data.target_normalizations:
        yield "the target is normalised, as the loss takes it"
    if request.mode == "training":
        for name in rehearsal.lonely:
            yield f"{name} uses its running mean and variance: one sample has no variance"
        if any(planned.layer.mixes_samples for planned in plan.leaves()):
            yield "batch norms take their statistics from this sample alone, not from a batch"
    size = subject.data.batch_size
    if sample.targets is not None and size != 1 and subject.data.whole().train_samples != 1:
        of = "all samples" if size == "all" else f"{size:,} samples"
        yield f"a step here is of this sample alone; training takes steps of {of}"
    if subject.is_trained and sample.targets is not None:
        yield (
            f"the weights and the rate are those after epoch {subject.trained.epoch or 0}; the "
            "optimizer starts without a state"
        )
    if sample.targets is not None and subject.experiment.distill is not None:
        yield "the loss is that of the target alone: teachers (distill) are left out"
    foreign = {owner for owner, _, layer, _ in named if layer is None}
    for owner in sorted(foreign):
        yield f"what {owner} computes between its modules, such as additions, has no row"
