"""What is drawn of a network, and what the facts are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnctl.errors import FaultError
from cnnctl.plotting.learned import Wish, view_of
from cnnctl.subject import Subject
from tests.plotting.conftest import MOONS, subject_of

LINEAR = (
    MOONS.partition("model:")[0]
    + """\
model: {layers: [{linear: classes}]}
optimizer: {name: sgd, lr: 0.1}
"""
)


def with_weights(subject: Subject, weight: list[list[float]], bias: list[float]) -> Subject:
    layer = subject.trained.network.get_submodule("linear1")
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return subject


def test_regions_of_a_linear_network_are_half_planes(tmp_path: Path, as_before: None) -> None:
    subject = subject_of(tmp_path, LINEAR, "data.normalize=null")
    with_weights(subject, [[0.0, 0.0], [1.0, -2.0]], [0.0, 0.5])
    landscape = view_of(subject, Wish()).landscape(resolution=21)
    x, y = (axis.values(21) for axis in landscape.axes)
    assert landscape.answers is not None
    expected = torch.sigmoid(x[None] - 2 * y[:, None] + 0.5)
    assert torch.allclose(landscape.answers[..., 1], expected, atol=1e-6)
    assert torch.allclose(landscape.answers.sum(-1), torch.ones(21, 21))
    assert landscape.classes == ("upper", "lower")


def test_samples_are_those_of_the_split_with_their_answers(moons: Subject) -> None:
    landscape = view_of(moons, Wish()).landscape(resolution=5)
    split, batches = moons.split("test")
    inputs, targets = next(iter(batches.in_order(batch_size=30)))
    with torch.no_grad():
        answers = moons.trained.network(inputs).argmax(1)
    shown = landscape.samples
    assert torch.equal(shown.targets, targets)
    assert torch.equal(shown.answers, answers)
    assert torch.allclose(shown.places, split.samples.rows.take(split.positions), atol=1e-6)
    right = float((answers == targets).float().mean())
    assert landscape.remarks == (f"30 test samples, {right:.1%} right",)
    assert landscape.title == "moons, before training"


def test_the_axes_go_beyond_the_samples(moons: Subject) -> None:
    places = view_of(moons, Wish()).places()
    for axis, values in zip(view_of(moons, Wish(margin=0.25)).axes(), places.T, strict=True):
        low, high = float(values.min()), float(values.max())
        assert axis.low == pytest.approx(low - 0.25 * (high - low))
        assert axis.high == pytest.approx(high + 0.25 * (high - low))


def test_a_layer_of_two_outputs_shows_the_bent_grid(moons: Subject) -> None:
    landscape = view_of(moons, Wish(layer="tanh1")).landscape(resolution=5)
    assert [axis.name for axis in landscape.axes] == ["tanh1[0]", "tanh1[1]"]
    assert landscape.answers is not None
    assert len(landscape.grid) == 26
    assert bool((torch.cat(landscape.grid).abs() <= 1).all())


def test_a_layer_of_more_outputs_shows_principal_components_or_chosen_ones(moons: Subject) -> None:
    landscape = view_of(moons, Wish(layer="linear1")).landscape(resolution=5)
    assert landscape.axes[0].name.startswith("principal component 1 (")
    chosen = view_of(moons, Wish(layer="linear1", features=["2", "linear1[0]"]))
    assert chosen.plane.names == ("linear1[2]", "linear1[0]")


def test_within_a_block_there_are_samples_only(moons: Subject) -> None:
    landscape = view_of(moons, Wish(layer="residual1.tanh1")).landscape()
    assert landscape.answers is None
    assert "no regions" in landscape.remarks[-1]
    assert landscape.to_json()["answers"] is None


def test_a_class_alone_is_a_surface(moons: Subject) -> None:
    alone = view_of(moons, Wish(output="lower")).landscape(resolution=7)
    both = view_of(moons, Wish()).landscape(resolution=7)
    assert alone.answers is not None
    assert both.answers is not None
    assert torch.equal(alone.answers[..., 0], both.answers[..., 1])
    assert alone.quantity == "probability of lower"
    assert set(alone.samples.targets.tolist()) == {0.0, 1.0}


INLINE = """\
data: {name: inline, inputs: [[1], [2], [4]], targets: [[10], [30], [20]], normalize_targets: auto}
model: {layers: [{linear: 1}]}
loss: mse
optimizer: {name: sgd, lr: 0.1}
"""


def test_one_input_gives_a_line_beyond_the_data_in_the_units_of_the_target(
    tmp_path: Path, as_before: None
) -> None:
    subject = with_weights(subject_of(tmp_path, INLINE), [[2.0]], [1.0])
    landscape = view_of(subject, Wish()).landscape()
    [axis] = landscape.axes
    assert (axis.low, axis.high) == (-0.5, 5.5)
    assert landscape.answers is not None
    std = (200 / 3) ** 0.5
    assert landscape.answers[0, 0] == pytest.approx((2 * -0.5 + 1) * std + 20, abs=1e-3)
    assert landscape.samples.targets.tolist() == pytest.approx([10, 30, 20], abs=1e-3)


MANY = """\
data: digits
model: {layers: [flatten, {linear: classes}]}
optimizer: {name: sgd, lr: 0.1}
"""


def test_many_inputs_need_a_choice(tmp_path: Path, as_before: None) -> None:
    subject = subject_of(tmp_path, MANY)
    with pytest.raises(FaultError, match=r"1x8x8 .*\n.*--features 0,3.*--plane 0,1,2.*--layer"):
        view_of(subject, Wish())
    landscape = view_of(subject, Wish(plane=[3, 17, 40])).landscape(resolution=4)
    assert landscape.samples.places[0].tolist() == [0.0, 0.0]
    assert landscape.remarks[-1] == "the plane through test 3, test 17, test 40"
    chosen = view_of(subject, Wish(features=["20", "x[0,3,3]"])).landscape(resolution=4)
    assert chosen.remarks[-1] == "62 other coordinates at their medians"


def test_the_plane_through_samples_has_their_answers(tmp_path: Path, as_before: None) -> None:
    subject = subject_of(tmp_path, MANY)
    view = view_of(subject, Wish(plane=[3, 17, 40]))
    on_plane = view.answers(view.space.outputs(view.plane.points(view.places())))
    assert torch.equal(on_plane.argmax(1), view.landscape(resolution=4).samples.answers)


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        (Wish(plane=[1, 2]), "--plane takes three different samples, not 2"),
        (Wish(plane=[1, 2, 99]), "the test split has no sample 99"),
        (Wish(plane=[1, 2, 3], features=["0", "1"]), "mutually exclusive"),
        (Wish(head="parity"), r"no head parity\n.*the network has no heads"),
        (Wish(output="uper"), r"there is no uper\n.*did you mean upper"),
        (Wish(layer="linear9"), r"there is no layer linear9\n.*did you mean linear"),
    ],
)
def test_a_choice_that_does_not_fit_is_a_fault(moons: Subject, wish: Wish, fault: str) -> None:
    with pytest.raises(FaultError, match=fault):
        view_of(moons, wish)


def test_json_has_the_likeliest_class_and_its_probability(moons: Subject) -> None:
    landscape = view_of(moons, Wish()).landscape(resolution=3)
    found = json.loads(json.dumps(landscape.to_json()))
    assert landscape.answers is not None
    assert found["answers"] == landscape.answers.argmax(-1).tolist()
    assert found["probability"][2][0] == pytest.approx(float(landscape.answers[2, 0].max()), 1e-5)
    assert found["axes"][0]["points"] == 3
    first = found["samples"][0]
    assert set(first) == {"name", "at", "target", "answer"}
