"""The source of a network to export: a page with everything that is known about it."""

from __future__ import annotations

import torch

from cnnctl.export.original import Original
from cnnctl.export.source.constants import (
    FEW,
    class_names,
    preprocessing_source,
    values_source,
)
from cnnctl.export.source.description import docstring_of
from cnnctl.export.source.naming import network_class_name, title_of
from cnnctl.export.source.network import network_class
from cnnctl.export.source.page import definitions_of, page_of


def source_of(original: Original, *, weights: str) -> str:
    """The source of a network, with its classes and preprocessing where they are known.

    Args:
        weights: the name of the file with the weights.

    Raises:
        FaultError: it contains a layer that has no source.
    """
    plan, tasks, name = original.trained.plan, original.tasks, original.experiment.name
    class_name = network_class_name(name)
    network = network_class(plan, name=class_name, about="", classes=classes_of(original))
    about = docstring_of(
        title_of(name), class_name, original.network, plan.input, tasks, weights=weights
    )
    names = class_names(tasks)
    parts = [*_surroundings(original), *definitions_of(network)]
    is_short = names.count("\n") <= FEW
    return page_of(about, [names, *parts] if names and is_short else [*parts, names])


def classes_of(original: Original) -> int:
    """The number of classes, if the network has an output for each; 0 for others."""
    (first, *others) = original.tasks
    is_sized = not others and first.target.kind == "class"
    return first.output[0] if is_sized and first.output[0] == first.target.outputs else 0


def has_preprocessing(original: Original) -> bool:
    """Whether a source has the preprocessing: the statistics are known, and those of real data."""
    return original.preprocessing is not None and not original.experiment.data.is_invented


def _surroundings(original: Original) -> list[str]:
    known = original.preprocessing
    if known is None or not has_preprocessing(original):
        return []
    has_bytes = original.dtype == torch.uint8
    inputs = preprocessing_source(known, original.shape, has_bytes=has_bytes)
    return [*inputs, *values_source(known, original.tasks)]
