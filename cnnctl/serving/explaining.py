"""Heat maps of what a network looked at, as PNG pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from torch import Tensor

from cnnctl.drawing.cells import image
from cnnctl.drawing.maps import RISING, Scale, overlaid
from cnnctl.explanation.explanation import Panel
from cnnctl.explanation.methods import METHODS
from cnnctl.explanation.request import Request, output_named, task_named
from cnnctl.serving.models import HEAT_MAP
from cnnctl.subject import Chosen, Subject

SIDE = 224
"""Pixels, up to which small pictures are enlarged by whole factors."""


@dataclass(frozen=True, slots=True)
class HeatMapOf:
    """A sample to explain."""

    stored: Tensor
    """(C, H, W), as the dataset stores it."""
    target: str | None = None
    """The class or label; by default, the predicted one."""
    head: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A heat map over its sample."""

    png: bytes
    explained: str
    """The class, label or value."""


def heat_maps(subject: Subject, asked: Sequence[HeatMapOf]) -> list[Drawn]:
    """The heat maps of some samples.

    Raises:
        FaultError: there is no such class or head.
    """
    return [_drawn(subject, each) for each in asked]


def _drawn(subject: Subject, asked: HeatMapOf) -> Drawn:
    task = task_named(subject.tasks, asked.head)
    inputs = subject.trained.preprocessing.inputs(asked.stored[None]).to(subject.trained.device)
    request = Request(
        subject,
        task,
        Chosen(("input",), inputs, None),
        target=output_named(task, asked.target),
    )
    [row] = METHODS[HEAT_MAP].explain(request).rows
    return Drawn(_png(row.panels[-1]), str(row.facts["explained"]))


def _png(panel: Panel) -> bytes:
    """A map over its sample."""
    assert panel.sample is not None  # as in the last panel of a picture
    assert panel.heat is not None
    shown = overlaid(panel.sample, panel.heat.values, Scale(panel.heat.limit, RISING))
    content = BytesIO()
    image(shown, side=SIDE, most=2 * SIDE).save(content, "PNG")
    return content.getvalue()
