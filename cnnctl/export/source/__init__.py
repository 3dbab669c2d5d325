"""A network as plain PyTorch source, as one would write it by hand."""

from __future__ import annotations

from cnnctl.export.source.network import network_class
from cnnctl.export.source.page import definitions_of, page_of
from cnnctl.model.network import NetworkPlan

__all__ = ["network_source"]


def network_source(plan: NetworkPlan, *, name: str, about: str = "", classes: int = 0) -> str:
    """The source of a network: a file that defines its class.

    Args:
        name: the name of the class.
        classes: if the last layer has an output for each class, their number.

    Raises:
        FaultError: it contains a layer that has no source.
    """
    network = network_class(plan, name=name, about="", classes=classes)
    return page_of(about or name, definitions_of(network))
