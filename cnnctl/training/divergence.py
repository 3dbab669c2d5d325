"""A loss that is not finite stops the training before it touches the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, optim

from cnnctl.errors import ExitCode, Fault, FaultError

NEVER = 2**62


class FiniteGuard:
    """Checks the loss of every step.

    On the CPU, reading the loss costs nothing, so it is read before the update. On a GPU, reading
    would wait; there the flag stays on the device, where a fused optimizer reads it itself
    (`found_inf`, made for loss scaling) and skips the update. `raise_if_diverged` reads it on the
    host from time to time.
    """

    def __init__(self, optimizer: optim.Optimizer, device: torch.device) -> None:
        self.optimizer = optimizer
        self.is_deferred = device.type != "cpu" and bool(optimizer.defaults.get("fused"))
        self.first_bad = torch.tensor(NEVER, device=device)
        if self.is_deferred:
            optimizer.found_inf = torch.zeros((), device=device)  # type: ignore[attr-defined]

    def watch(self, loss: Tensor, step: int) -> None:
        """Check the loss of a step, before the weights are updated.

        Raises:
            FaultError: it is not finite, and the device is a CPU.
        """
        if not self.is_deferred:
            if not math.isfinite(loss.item()):
                raise diverged("the loss", self.optimizer, step=step + 1)
            return
        bad = torch.where(torch.isfinite(loss), NEVER, step)
        torch.minimum(self.first_bad, bad, out=self.first_bad)
        # the flag stays set, and so also blocks the steps that are queued before it is read
        self.optimizer.found_inf.copy_(self.first_bad < NEVER)  # type: ignore[attr-defined]

    def raise_if_diverged(self, steps: int) -> None:
        """Check the flag, and the weights after this many steps; waits for the device.

        A finite loss can have a gradient that is not, so this is called before anything is saved.

        Raises:
            FaultError: the loss of a step, or a weight, is not finite.
        """
        if self.is_deferred and (first_bad := int(self.first_bad)) < NEVER:
            raise diverged("the loss", self.optimizer, step=first_bad + 1)
        parameters = (p for group in self.optimizer.param_groups for p in group["params"])
        if not torch.stack([p.isfinite().all() for p in parameters]).all():
            raise diverged("a weight", self.optimizer, step=steps)


def diverged(what: str, optimizer: optim.Optimizer, *, step: int) -> FaultError:
    """The fault for a value that is not finite at this step, counted from 1."""
    message = f"{what} is not finite at step {step}; earlier checkpoints are intact"
    hint = (
        f"try a lower optimizer.lr (now {optimizer.param_groups[0]['lr']:.3g}), "
        "regularization.clip_norm=1 or train.precision=fp32, and check the data for NaN and "
        "extreme values"
    )
    return FaultError(Fault(message=message, hint=hint), exit_code=ExitCode.DIVERGED)
