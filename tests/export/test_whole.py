"""A network with its preprocessing and its answers, as one module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.export.checking import answers, difference
from cnnctl.export.whole import example, whole
from tests.conftest import TINY
from tests.export.running import opened
from tests.export.test_checking import HEADS
from tests.export.test_original import MNIST, VALUES

TWO = """\
data: {name: moons}
model: {layers: [{linear: 1}]}
loss: bce_with_logits
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TINY, ["probabilities"]),
        (HEADS, ["digit", "parity"]),
        (VALUES, ["values"]),
        (TWO, ["probabilities"]),
    ],
)
def test_it_answers_as_the_program_does(text: str, names: list[str], tmp_path: Path) -> None:
    original = opened(tmp_path, text)
    assert original.samples is not None
    for inputs in (original.samples, example(original, raw=False)):
        found = whole(original, raw=False)(inputs)
        wanted = answers(original, inputs, raw=False)
        assert [*found] == [*wanted] == names
        assert all(difference(wanted[name], found[name]) < 1e-6 for name in names)
    inputs = example(original, raw=True)
    found, wanted = (each(inputs) for each in (whole(original, raw=True), original.network))
    assert torch.equal(torch.cat([*found.values()], dim=1), wanted)


def test_without_statistics_it_is_only_the_network(tmp_path: Path) -> None:
    original = opened(tmp_path, MNIST)
    with pytest.raises(FaultError, match=r"unknown.*\n *use --raw"):
        whole(original, raw=False)
    assert [*whole(original, raw=True)(example(original, raw=True))] == ["logits"]
