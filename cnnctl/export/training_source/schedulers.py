"""The learning rate schedule as code: its class in torch.optim.lr_scheduler, and a warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any, Literal

from torch.optim import lr_scheduler

from cnnctl.errors import config_fault
from cnnctl.experiment import Experiment
from cnnctl.export.training_source.layout import Code, call
from cnnctl.export.training_source.optimizers import differing, has_several
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.schedulers import Plateau, Scheduler, cycles, decays

STEPS = Code("steps")
"""Steps of an epoch, an argument of `build_scheduler`."""


@dataclass(frozen=True, slots=True)
class ScheduleSource:
    """The functions that build a schedule, and when it is moved on."""

    code: str = ""
    """`build_scheduler(optimizer, steps)` and `build_warmup(optimizer, steps)`, if needed."""
    interval: Literal["", "epoch", "step"] = ""
    """When to call `step` of the scheduler; empty without one."""
    warmup: int = 0
    """Epochs of the warm-up, which is moved on at every step."""
    watches: str = ""
    """The metric that the scheduler gets at the end of an epoch, if it needs one."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class of torch.optim.lr_scheduler with its options."""

    name: str
    options: dict[str, Any]
    interval: Literal["epoch", "step"] = "step"


@dataclass(frozen=True, slots=True)
class _Context:
    """What the options of a schedule depend on."""

    optimizer: Optimizer
    epochs: Code
    """Epochs of the schedule, after the warm-up."""

    def steps(self, epochs: float | None) -> Code:
        """So many epochs, or all, in steps."""
        return Code(f"{self.epochs if epochs is None else repr(epochs)} * steps")

    def length(self, epochs: int | None, interval: str) -> Code:
        """So many epochs, or all, in intervals."""
        given = self.epochs if epochs is None else Code(repr(epochs))
        return self.steps(epochs) if interval == "step" else given

    @property
    def rates(self) -> float | Code:
        """The largest rate of each group."""
        has_own = any(group.lr is not None for group in self.optimizer.groups)
        if has_own or has_several(self.optimizer):
            return Code('[group["lr"] for group in optimizer.param_groups]')
        return self.optimizer.lr

    @property
    def momentum(self) -> bool:
        """Whether torch can cycle its momentum."""
        wanted = self.optimizer.arguments()
        return "betas" in wanted or "momentum" in wanted


def schedule_source(experiment: Experiment) -> ScheduleSource:
    """The schedule of an experiment.

    Raises:
        FaultError: it is that of a plugin.
    """
    scheduler = experiment.scheduler
    warmup = scheduler.warmup
    epochs = Code("EPOCHS" if warmup is None else "(EPOCHS - WARMUP)")
    kind = _kind_of(scheduler, _Context(experiment.optimizer, epochs))
    code = "from torch.optim import Optimizer\nfrom torch.optim import lr_scheduler\n"
    if kind is not None:
        built = call(f"lr_scheduler.{kind.name}", "optimizer", **kind.options)
        code += _function("build_scheduler", kind.name, built)
    if warmup is not None:
        options = {"start_factor": warmup.start_factor, "total_iters": Code("WARMUP * steps")}
        built = call("lr_scheduler.LinearLR", "optimizer", **options)
        code += _function("build_warmup", "LinearLR", built)
    return ScheduleSource(
        code if kind or warmup else "",
        kind.interval if kind else "",
        warmup.epochs if warmup else 0,
        scheduler.watches if isinstance(scheduler, Plateau) else "",
    )


def _function(name: str, returned: str, code: str) -> str:
    signature = f"def {name}(optimizer: Optimizer, steps: int) -> lr_scheduler.{returned}:"
    return f"\n\n{signature}\n    return {code}\n"


def _torch(name: str, *, interval: Literal["epoch", "step"] = "step", **options: Any) -> _Kind:
    """A class of torch with those of these options that differ from its defaults."""
    return _Kind(name, differing(getattr(lr_scheduler, name), options), interval)


@singledispatch
def _kind_of(scheduler: Scheduler, context: _Context) -> _Kind | None:
    message = f"{scheduler.kind} is a scheduler of a plugin, which a training script lacks"
    hint = "use one of torch's, or leave out --training"
    raise config_fault(message, hint=hint, path=("scheduler",))


@_kind_of.register
def _(scheduler: decays.Constant, context: _Context) -> _Kind | None:
    return None


@_kind_of.register
def _(scheduler: decays.Step, context: _Context) -> _Kind | None:
    options = {"step_size": scheduler.step_size, "gamma": scheduler.gamma}
    return _torch("StepLR", interval="epoch", **options)


@_kind_of.register
def _(scheduler: decays.MultiStep, context: _Context) -> _Kind | None:
    options = {"milestones": scheduler.milestones, "gamma": scheduler.gamma}
    return _torch("MultiStepLR", interval="epoch", **options)


@_kind_of.register
def _(scheduler: decays.Exponential, context: _Context) -> _Kind | None:
    gamma: float | Code = scheduler.gamma
    if scheduler.interval == "step":
        gamma = Code(f"{gamma!r} ** (1 / steps)")
    return _torch("ExponentialLR", interval=scheduler.interval, gamma=gamma)


@_kind_of.register
def _(scheduler: decays.Cosine, context: _Context) -> _Kind | None:
    length = context.length(scheduler.T_max, scheduler.interval)
    options = {"T_max": length, "eta_min": scheduler.eta_min}
    return _torch("CosineAnnealingLR", interval=scheduler.interval, **options)


@_kind_of.register
def _(scheduler: decays.CosineRestarts, context: _Context) -> _Kind | None:
    length = context.length(scheduler.T_0, scheduler.interval)
    options = {"T_0": length, "T_mult": scheduler.T_mult, "eta_min": scheduler.eta_min}
    return _torch("CosineAnnealingWarmRestarts", interval=scheduler.interval, **options)


@_kind_of.register
def _(scheduler: decays.Linear, context: _Context) -> _Kind | None:
    length = context.length(scheduler.total_iters, scheduler.interval)
    factors = {"start_factor": scheduler.start_factor, "end_factor": scheduler.end_factor}
    return _torch("LinearLR", interval=scheduler.interval, **factors, total_iters=length)


@_kind_of.register
def _(scheduler: decays.Polynomial, context: _Context) -> _Kind | None:
    length = context.length(scheduler.total_iters, scheduler.interval)
    options = {"total_iters": length, "power": scheduler.power}
    return _torch("PolynomialLR", interval=scheduler.interval, **options)


@_kind_of.register
def _(scheduler: decays.InverseSqrt, context: _Context) -> _Kind | None:
    # with r steps of warm-up, the rate after s more is lr * sqrt(r / (r + s))
    factor = Code("lambda step: (1 + step / (WARMUP * steps)) ** -0.5")
    return _torch("LambdaLR", lr_lambda=factor)


@_kind_of.register
def _(scheduler: cycles.OneCycle, context: _Context) -> _Kind | None:
    own = scheduler.model_dump(exclude={"warmup"})
    own["cycle_momentum"] = own["cycle_momentum"] and context.momentum
    return _torch("OneCycleLR", max_lr=context.rates, total_steps=context.steps(None), **own)


@_kind_of.register
def _(scheduler: cycles.Triangular, context: _Context) -> _Kind | None:
    # before the peak, the line that rises is the lower one, and after it the one that falls
    start, end, total = scheduler.start_factor, scheduler.end_factor, context.steps(None)
    peak = f"max(1, int({scheduler.pct_start!r} * {total}))"
    rise = f"{start!r} + (1 - {start!r}) * step / peak"
    fall = f"1 - (1 - {end!r}) * (step - peak) / max(1, {total} - peak)"
    factor = Code(f"lambda step, peak={peak}: min({rise}, {fall})")
    return _torch("LambdaLR", lr_lambda=factor)


@_kind_of.register
def _(scheduler: cycles.Cyclic, context: _Context) -> _Kind | None:
    own = scheduler.model_dump(exclude={"warmup", "base_lr", "step_size_up", "step_size_down"})
    own["cycle_momentum"] = own["cycle_momentum"] and context.momentum
    if scheduler.mode == "exp_range":
        own["gamma"] = Code(f"{scheduler.gamma!r} ** (1 / steps)")
    lengths = {"step_size_up": context.steps(scheduler.step_size_up)}
    if scheduler.step_size_down is not None:
        lengths["step_size_down"] = context.steps(scheduler.step_size_down)
    own |= {"base_lr": scheduler.base_lr, "max_lr": context.rates, **lengths}
    return _torch("CyclicLR", **own)


@_kind_of.register
def _(scheduler: Plateau, context: _Context) -> _Kind | None:
    own = scheduler.model_dump(exclude={"warmup", "monitor"}) | {"mode": scheduler.direction}
    return _torch("ReduceLROnPlateau", interval="epoch", **own)
