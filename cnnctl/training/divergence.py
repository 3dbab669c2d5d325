"""A loss that is not finite stops the training before it touches the weights."""

from __future__ import annotations

import torch
from torch import Tensor, optim

from cnnctl.errors import ExitCode, Fault, FaultError

NEVER = 2**62


class FiniteGuard:
    """Watches every step's loss.

    On the CPU a look at the loss costs nothing, so it is read before the update. A look at a GPU
    waits for it; there the flag stays on the device, where a fused optimizer reads it itself
    (`found_inf`, made for loss scaling) and leaves the weights alone. It is read on the host
    once in a while, by `raise_if_diverged`.
    """

    def __init__(self, optimizer: optim.Optimizer, device: torch.device) -> None:
        self.optimizer = optimizer
        self.is_deferred = device.type != "cpu" and bool(optimizer.defaults.get("fused"))
        self.first_bad = torch.tensor(NEVER, device=device)
        if self.is_deferred:
            optimizer.found_inf = torch.zeros((), device=device)  # type: ignore[attr-defined]

    def watch(self, loss: Tensor, step: int) -> None:
        """Look at the loss of a step, before the weights move.

        Raises:
            FaultError: it is not finite, and there was no need to wait to see it.
        """
        if not self.is_deferred:
            if not torch.isfinite(loss):
                raise diverged(step, self.learning_rate)
            return
        bad = torch.where(torch.isfinite(loss), NEVER, step)
        torch.minimum(self.first_bad, bad, out=self.first_bad)
        # once bad, always: the flag also holds back the steps that are sent before it is read
        self.optimizer.found_inf.copy_(self.first_bad < NEVER)  # type: ignore[attr-defined]

    def raise_if_diverged(self) -> None:
        """Read the flag; waits for the device.

        Raises:
            FaultError: the loss of a step was not finite.
        """
        if self.is_deferred and int(self.first_bad) < NEVER:
            raise diverged(int(self.first_bad), self.learning_rate)

    @property
    def learning_rate(self) -> float:
        """The learning rate now, for the message."""
        return float(self.optimizer.param_groups[0]["lr"])


def diverged(step: int, learning_rate: float) -> FaultError:
    """The fault of a loss that is not finite."""
    message = f"the loss is not finite at step {step + 1}; the weights were left as they were"
    cure = (
        f"try a lower optimizer.lr (now {learning_rate:.3g}), regularization.clip_norm=1, or "
        "train.precision=fp32, and look for values in the data that are not numbers"
    )
    return FaultError(Fault(message=message, cure=cure), exit_code=ExitCode.DIVERGED)
