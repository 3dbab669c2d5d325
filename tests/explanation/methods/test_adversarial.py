"""Adversarial samples: what is changed, by how much, and where the class flips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cnnctl.errors import FaultError
from cnnctl.explanation.explanation import Explanation
from cnnctl.explanation.methods.adversarial import Adversarial
from cnnctl.explanation.request import Request
from tests.conftest import invoke
from tests.explanation.conftest import CNN, SIGNALS, VECTORS, request_of, subject_of

LINEAR = """\
data: {name: inline, inputs: [[1, 9], [2, 5], [4, 7], [3, 3]], targets: [0, 1, 1, 0]}
model: {layers: [linear: classes]}
train: {device: cpu}
"""
LABELS = """\
data: {name: fake, shape: [6], classes: 3, samples: 200, multilabel: true}
model: {layers: [{linear: 8}, tanh, {linear: classes}]}
loss: bce_with_logits
train: {device: cpu}
"""


def explained(request: Request) -> Explanation:
    return Adversarial().explain(request)


def said(request: Request, changed: Tensor) -> list[int]:
    """The classes of pixels from 0 to 1."""
    levels = request.subject.levels
    with torch.no_grad():
        outputs: Tensor = request.network(levels.normalized(changed))
    return [int(number) for number in outputs.argmax(1)]


def test_a_linear_network_flips_where_the_formula_says() -> None:
    # for z = W x + b of two classes, the signs of W1 - W0 close the margin fastest: by epsilon
    # times sum |W1 - W0| std, where std are those of the data, which is not normalised
    subject = subject_of(LINEAR)
    chosen = subject.chosen([0, 1, 2, 3], "train")
    request = Request(subject, subject.tasks[0], chosen)
    [linear] = subject.trained.network.children()
    weight, bias = (part.detach() for part in linear.parameters())
    margins = chosen.inputs @ (weight[1] - weight[0]) + bias[1] - bias[0]
    std = chosen.inputs.std(dim=0, correction=0)
    expected = margins.abs() / ((weight[1] - weight[0]).abs() * std).sum()
    found = explained(request)
    assert found.arrays["distance"].tolist() == pytest.approx(expected.tolist(), rel=0.01)
    for row, before in zip(found.rows, margins, strict=True):
        assert row.facts["predicted"] == str(int(before > 0))
        assert row.facts["then predicted"] == str(int(before <= 0))


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_a_picture_changes_by_epsilon_and_stays_one(attack: str) -> None:
    request = replace(request_of(subject_of(CNN), 0, 1, 2), attack=attack, epsilon=0.05)
    found = explained(request)
    before, change = found.arrays["input"], found.arrays["change"]
    after = before + change
    assert float(change.abs().max()) == pytest.approx(0.05, abs=1e-6)
    assert float(after.min()) >= -1e-6
    assert float(after.max()) <= 1 + 1e-6
    if attack == "fgsm":
        is_free = (before > 0.05) & (before < 0.95) & (change != 0)
        assert torch.allclose(change.abs()[is_free], torch.tensor(0.05), atol=1e-6)
    assert {row.facts["epsilon"] for row in found.rows} == {0.05}


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_the_class_flips_at_the_distance_and_not_before(attack: str) -> None:
    request = replace(request_of(subject_of(CNN), 0, 1, 2), attack=attack)
    found = explained(request)
    before, change = found.arrays["input"], found.arrays["change"]
    distances = found.arrays["distance"]
    assert bool((distances > 0).all() and (distances < 1).all())
    others = said(request, (before + change).clamp(0, 1))
    assert all(a != b for a, b in zip(others, request.predicted, strict=True))
    nearly = explained(replace(request, epsilon=float(distances.min()) * 0.95))
    assert [row.facts["then predicted"] for row in nearly.rows] == [
        request.name_of(number) for number in request.predicted
    ]


def test_a_target_is_reached() -> None:
    request = replace(request_of(subject_of(CNN), 0, 1, target=4), attack="pgd")
    found = explained(request)
    assert [row.facts["then predicted"] for row in found.rows] == ["4", "4"]
    assert "towards 4" in found.notes[0]


def test_a_label_is_flipped() -> None:
    request = replace(request_of(subject_of(LABELS), 0, 1, target=2), attack="pgd")
    found = explained(request)
    for row in found.rows:
        before, after = row.facts["share"], row.facts["its share"]
        assert isinstance(before, float)
        assert isinstance(after, float)
        assert (before > 0.5) != (after > 0.5)


def test_signals_are_changed_in_units_of_their_deviation() -> None:
    found = explained(replace(request_of(subject_of(SIGNALS), 0), epsilon=0.2))
    assert float(found.arrays["change"].abs().max()) == pytest.approx(0.2, abs=1e-5)
    assert found.rows[0].panels[1].heat is not None


def test_what_cannot_be_attacked_is_refused() -> None:
    assert Adversarial().misfit(subject_of(VECTORS)) == "needs classes or labels"
    with pytest.raises(FaultError, match="no attack is named 'pgdd'"):
        explained(replace(request_of(subject_of(CNN), 0), attack="pgdd"))


def test_the_command_draws_the_original_the_change_and_the_result(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--method", "adversarial", "--samples", "0", "--epsilon", "0.1", "--json")
    done = invoke("explain", tiny, *words)
    assert done.exit_code == 0, done.output
    [row] = json.loads(done.stdout)["rows"]
    assert (row["epsilon"], row["name"]) == (0.1, "test 0")
    assert Path("tiny-adversarial.png").stat().st_size > 1000
    refused = invoke("explain", tiny, "--method", "saliency", "--epsilon", "0.1")
    assert "saliency takes no --epsilon" in refused.stderr
