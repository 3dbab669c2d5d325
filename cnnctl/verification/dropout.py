"""A network without its dropout, which makes losses larger and says nothing about weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from cnnctl.model.network import NetworkPlan

KINDS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)
"""Those inside torchvision's networks."""


@contextmanager
def without_dropout(network: nn.Module, plan: NetworkPlan) -> Iterator[None]:
    """A context in which dropout passes everything on, whatever the mode of the network."""
    own = {leaf.name for leaf in plan.leaves() if leaf.layer.role == "dropout"}
    found = [
        module
        for name, module in network.named_modules()
        if module.training and (name in own or isinstance(module, KINDS))
    ]
    for module in found:
        module.eval()
    try:
        yield
    finally:
        for module in found:
            module.train()
