"""A summary in the style of the torchsummary package."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import torch
from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.layer import Shape
from cnnctl.model.network import NetworkPlan, build


def torchsummary_text(plan: NetworkPlan, *, batch_size: int = -1) -> str:
    """Exactly what `torchsummary.summary` prints for this network on the CPU.

    The package updates batch-norm statistics and draws random numbers, so it gets a temporary
    copy, and the global random state is restored.

    Raises:
        FaultError: the package cannot show this network.
    """
    network = build(plan, seed=0)
    try:
        with torch.random.fork_rng(devices=[]):
            return _printed(network, plan.input, batch_size)
    except Exception as error:  # it fails in many ways on modules that it does not know
        message = f"torchsummary cannot show this network: {type(error).__name__}: {error}"
        raise config_fault(message, hint="omit --style torchsummary") from error


def _printed(network: nn.Module, input: Shape, batch_size: int) -> str:
    from torchsummary import summary

    text = StringIO()
    with redirect_stdout(text):
        summary(network, input, batch_size=batch_size, device="cpu")
    return text.getvalue()
