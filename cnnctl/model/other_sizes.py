"""Whether a network that was planned for one size of images takes others, with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn

from cnnctl.errors import Fault, FaultError
from cnnctl.model.inference import rehearsing
from cnnctl.model.layer import Shape, describe_shape
from cnnctl.model.network import NetworkPlan, new_meta_network

HINT = "add global_avg_pool or adaptive_avg_pool before it"


def unfit_size(
    plan: NetworkPlan,
    sizes: Iterable[tuple[int, ...]],
    *,
    replan: Callable[[Shape], NetworkPlan],
) -> Fault | None:
    """The fault of the first of these sizes (height, width) that does not fit, if any.

    It names the layer. `replan` plans the same layers anew for another input shape.
    """
    network = rehearsing(new_meta_network(plan))
    expected = _output(network, plan.input)
    for size in sizes:
        shape = (plan.input[0], *size)
        if _output(network, shape) != expected:
            return _fault(plan, shape, replan)
    return None


@torch.no_grad()
def _output(network: nn.Module, shape: Shape) -> Shape | None:
    """The output shape for one sample; None if the input does not fit."""
    try:
        return tuple(network(torch.empty(2, *shape, device="meta")).shape[1:])
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return None


def _fault(plan: NetworkPlan, shape: Shape, replan: Callable[[Shape], NetworkPlan]) -> Fault:
    images = "x".join(map(str, shape[1:]))
    try:
        other = replan(shape)
    except FaultError as error:
        message = f"the network does not take images of {images}: {error.faults[0].message}"
        return Fault(message=message, hint="use larger images")
    full, small = new_meta_network(plan), new_meta_network(other)
    for ours, theirs in zip(plan.leaves(), other.leaves(), strict=True):
        if _weights(full, ours.name) != _weights(small, theirs.name):
            message = (
                f"{ours.name} has weights for {describe_shape(ours.input)}, but images of "
                f"{images} give {describe_shape(theirs.input)}"
            )
            return Fault(message=message, hint=HINT)
    return Fault(message=f"the network does not take images of {images}", hint=HINT)


def _weights(network: nn.Module, name: str) -> list[tuple[str, torch.Size]]:
    state = network.get_submodule(name).state_dict()
    return [(key, tensor.shape) for key, tensor in state.items()]
