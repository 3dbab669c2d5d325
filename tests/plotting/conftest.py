"""Small networks to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnctl.subject import Subject, open_subject

MOONS = """\
data: {name: moons, samples: 40, test_samples: 30, batch_size: 20}
model:
  layers:
    - linear: 3
    - relu
    - residual: [{linear: 3}, tanh]
    - linear: 2
    - tanh
    - linear: classes
optimizer: {name: sgd, lr: 0.1}
train: {epochs: 2}
"""


def subject_of(folder: Path, text: str, *overrides: str) -> Subject:
    """The network of this experiment as training starts."""
    path = folder / "moons.yaml"
    path.write_text(text, encoding="utf-8")
    return open_subject(path, overrides, device="cpu")


@pytest.fixture
def moons(tmp_path: Path, as_before: None) -> Subject:
    """A network with two inputs, a block, and a layer with two outputs."""
    return subject_of(tmp_path, MOONS)
