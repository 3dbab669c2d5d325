"""Which layer a format cannot hold, where an exporter refuses a network as a whole."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cnnctl.errors import Fault, FaultError
from cnnctl.export.original import Original
from cnnctl.model.block import PlannedLayer

Attempt = Callable[[nn.Module, Tensor], object]
"""Exports a module with an example of its input, (2, …), or raises."""


def cannot_hold(
    suffix: str, error: Exception, original: Original, attempt: Attempt, *, hint: str
) -> FaultError:
    """The fault for a network that could not be exported, with the layer that it is due to."""
    found = _first_misfit(original, attempt)
    if found is None:
        return FaultError(Fault(message=f"{suffix} cannot hold it: {_reason(error)}", hint=hint))
    planned, own_error = found
    message = f"{suffix} cannot hold {planned.name} ({planned.layer.kind}): {_reason(own_error)}"
    return FaultError(Fault(message=message, hint=hint, path=planned.path))


def _first_misfit(original: Original, attempt: Attempt) -> tuple[PlannedLayer, Exception] | None:
    """The first layer for which the attempt fails, and its error."""
    for planned in original.trained.plan.leaves():
        module = original.network.get_submodule(planned.name)
        try:
            attempt(module, torch.zeros(2, *planned.input))
        except Exception as error:  # exporters have no exception for this
            return planned, error
    return None


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
