"""What a sheet of an explanation shows."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
import torch
from PIL import Image

from cnnctl.drawing.naming import Naming
from cnnctl.explanation.explanation import HeatMap
from cnnctl.explanation.methods import METHODS, maximise
from cnnctl.explanation.methods.saliency import Saliency
from cnnctl.explanation.request import Request
from cnnctl.explanation.sheet import draw
from tests.explanation.conftest import CNN, SIGNALS, VECTORS, request_of, subject_of


def drawn(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content)).convert("RGB")


@pytest.mark.parametrize("text", [CNN, SIGNALS, VECTORS])
def test_every_method_that_fits_has_a_sheet(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maximise, "STEPS", 2)
    subject = subject_of(text)
    samples = request_of(subject, 0)
    alone = Request(subject, subject.tasks[0])
    fitting = [method for method in METHODS.values() if not method.misfit(subject)]
    assert len(fitting) >= 7
    for method in fitting:
        if method.name in ("lime", "shap", "adversarial"):
            continue  # slow; drawn as others are
        explanation = method.explain(samples if method.needs_samples else alone)
        assert min(drawn(draw(explanation, Naming())).size) > 60, method.name


def test_names_that_the_font_lacks_are_in_the_legend() -> None:
    explanation = Saliency().explain(request_of(subject_of(CNN), 0))
    name = explanation.names[0]
    foreign = replace(
        explanation,
        names=("кот", *explanation.names[1:]),
        rows=[replace(row, title=row.title.replace(name, "кот")) for row in explanation.rows],
    )
    naming = Naming()
    draw(foreign, naming)
    assert naming.legend == ({"#0": "кот"} if name in explanation.rows[0].title else {})


def test_outliers_do_not_stretch_a_scale() -> None:
    values = torch.cat([torch.ones(198), torch.tensor([50.0, 50.0])])
    assert HeatMap.of(values, is_signed=False).limit == 50
    assert HeatMap.of(values, is_signed=False, beyond=0.01).limit == 1
