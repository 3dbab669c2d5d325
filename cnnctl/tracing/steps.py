"""Steps of a run on one sample, with everything that happens in them recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from cnnctl.experiment import Task, build_loss, task_weights
from cnnctl.model.network import NetworkPlan
from cnnctl.optim.schedulers.decays import Constant
from cnnctl.tracing.facts import StepFacts
from cnnctl.tracing.losses import loss_facts
from cnnctl.tracing.recording import Recorder
from cnnctl.tracing.rows import backward_rows, forward_rows
from cnnctl.tracing.units import UnitView
from cnnctl.tracing.updates import Snapshot, Working, penalties
from cnnctl.training.compilation import Answers
from cnnctl.training.run import Run
from cnnctl.training.step import Batch, Step, make_step


@dataclass(slots=True)
class Watcher:
    """A step's forward and backward pass, of which the first is recorded."""

    step: Step
    recorder: Recorder
    outputs: Tensor | None = None
    losses: Tensor | None = None
    gradients: dict[str, Tensor] = field(default_factory=dict)
    """Of the loss, without penalties and clipping."""
    calls: int = 0

    def propagate(
        self, inputs: Tensor, targets: Tensor, answers: Answers, factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the step calls; see `training.compilation.Propagate`."""
        outputs, losses = self.step.propagate(inputs, targets, answers, factors)
        self.calls += 1
        if self.calls == 1:
            self.outputs, self.losses = outputs.detach().clone(), losses.detach().reshape(-1)
            self.recorder.is_on = False
            for name, weight in self.step.run.network.named_parameters():
                if weight.grad is not None:
                    self.gradients[name] = weight.grad.detach().clone()
        return outputs, losses


def take_step(run: Run, batch: Batch, view: UnitView, *, number: int) -> StepFacts:
    """Take a step of training on this batch of one sample, and tell what happened.

    Raises:
        FaultError: the loss is not finite; the weights are unchanged.
    """
    step = make_step(run).for_epoch()
    recorder = Recorder(run.plan, view)
    watcher = Watcher(step, recorder)
    before, inputs = Snapshot.of(run), batch[0].clone().requires_grad_()
    with recorder.recording(run.network):
        replace(step, propagate=watcher.propagate)([(inputs, batch[1])])
    assert watcher.outputs is not None and watcher.losses is not None
    losses = loss_facts(run.tasks, watcher.outputs, batch[1], watcher.losses.tolist())
    facts = StepFacts(number, forward_rows(recorder, inputs.detach()[0], run.tasks), losses)
    facts.backward = backward_rows(recorder, _first(inputs.grad), run.tasks)
    facts.penalties = list(penalties(run, before.weights))
    facts.total = sum(each.weight * each.value for each in losses)
    facts.total += sum(each.value for each in facts.penalties)
    facts.optimizer = _title(run)
    facts.rate = run.optimizer.param_groups[0]["lr"]
    facts.evaluations = watcher.calls
    with torch.no_grad():
        Working(run, before, watcher.gradients).fill(facts)
    _complete(facts, view)
    return facts


def _title(run: Run) -> str:
    """The optimizer and its rate in the step that it has just taken: `sgd 0.5`."""
    pairs = zip(run.groups, run.optimizer.param_groups, strict=True)
    rates = dict.fromkeys((each.optimizer.kind, f"{group['lr']:g}") for each, group in pairs)
    kinds = dict.fromkeys(kind for kind, _ in rates)
    title = ", ".join(
        f"{kind} {' and '.join(rate for each, rate in rates if each == kind)}" for kind in kinds
    )
    if isinstance(run.experiment.scheduler, Constant):
        return title
    steps = run.schedule.epochs * run.schedule.steps_per_epoch
    return f"{title}, {run.experiment.scheduler.kind} at step {run.counters.step:,} of {steps:,}"


def _first(gradients: Tensor | None) -> Tensor | None:
    return None if gradients is None else gradients[0]


def forward_only(
    network: nn.Module, plan: NetworkPlan, tasks: Sequence[Task], inputs: Tensor, view: UnitView
) -> StepFacts:
    """A forward pass without a target."""
    recorder = Recorder(plan, view)
    with recorder.recording(network):
        network(inputs.clone().requires_grad_())
    return StepFacts(1, forward_rows(recorder, inputs[0], tasks), unit=view.working)


def back_only(
    network: nn.Module, plan: NetworkPlan, tasks: Sequence[Task], batch: Batch, view: UnitView
) -> StepFacts:
    """Both passes of a network without weights, which no optimizer takes."""
    recorder, inputs = Recorder(plan, view), batch[0].clone().requires_grad_()
    loss_of = build_loss(tasks, reduction=tasks[0].loss.reduction)
    with recorder.recording(network):
        outputs = network(inputs)
        losses = loss_of(outputs, batch[1])
        if losses.requires_grad:
            losses.backward(task_weights(tasks, device=outputs.device))
    values = losses.detach().reshape(-1).tolist()
    facts = StepFacts(1, forward_rows(recorder, inputs.detach()[0], tasks))
    facts.losses = loss_facts(tasks, outputs.detach(), batch[1], values)
    facts.total = sum(each.weight * each.value for each in facts.losses)
    facts.backward = backward_rows(recorder, _first(inputs.grad), tasks)
    _complete(facts, view)
    return facts


def _complete(facts: StepFacts, view: UnitView) -> None:
    """Add what the backward pass and the update made of the unit."""
    unit = facts.unit = view.working
    if unit is None:
        return
    for row in facts.backward:
        if row.layer == unit.layer and row.role == "output":
            unit.delta = float(row.value[unit.index])
    own = [weight for weight in facts.weights if weight.layer == unit.layer]
    for weight in own if unit.has_weights else ():
        if weight.gradient is not None:
            whole = weight.gradient, weight.before, weight.after
            gradient, before, after = (tensor[unit.index[0]] for tensor in whole)
            unit.weight_rows[weight.letter] = gradient, before, after
