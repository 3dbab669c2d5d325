"""Points of inputs and layers, from which the network goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.plotting.spaces import InputSpace, LayerSpace
from cnnctl.subject import Subject
from tests.plotting.conftest import subject_of

TABLE = """\
data: {name: table, path: flowers.csv, target: species, validation: 0.2, batch_size: 8}
model: {layers: [{linear: classes}]}
optimizer: {name: sgd, lr: 0.1}
"""
DIGITS = """\
data: digits
model: {layers: [{conv: 2}, relu, flatten, {linear: classes}]}
optimizer: {name: sgd, lr: 0.1}
"""


@torch.no_grad()
def assert_goes_on(subject: Subject, space: InputSpace | LayerSpace) -> None:
    inputs = subject.chosen(range(20), "train").inputs
    points = space.of(inputs)
    assert points.shape == (20, len(space.names))
    expected = subject.trained.network(inputs)
    assert torch.allclose(space.outputs(points), expected, atol=1e-5)


def test_the_network_goes_on_from_inputs_in_their_units(moons: Subject) -> None:
    space = InputSpace(moons)
    split = moons.split()[0]
    assert torch.allclose(
        space.of(moons.chosen([3]).inputs)[0],
        split.samples.rows.take(split.positions[[3]])[0],
        atol=1e-6,
    )
    assert space.names == ["x", "y"]
    assert_goes_on(moons, space)


@pytest.mark.parametrize("layer", ["linear1", "relu1", "residual1", "linear2", "tanh1", "linear3"])
def test_the_network_goes_on_from_every_layer(moons: Subject, layer: str) -> None:
    assert_goes_on(moons, LayerSpace(moons, layer))


def test_within_a_block_the_outputs_are_those_of_the_layer(moons: Subject) -> None:
    space = LayerSpace(moons, "residual1.linear1")
    inputs = moons.chosen(range(5)).inputs
    network = moons.trained.network
    with torch.no_grad():
        before = network.get_submodule("relu1")(network.get_submodule("linear1")(inputs))
        expected = network.get_submodule("residual1.linear1")(before)
    assert torch.allclose(space.of(inputs), expected, atol=1e-6)
    assert not space.goes_on


def test_images_have_a_coordinate_for_each_pixel(tmp_path: Path, as_before: None) -> None:
    subject = subject_of(tmp_path, DIGITS)
    space = InputSpace(subject)
    assert (space.names[0], space.names[-1]) == ("x[0,0,0]", "x[0,7,7]")
    assert_goes_on(subject, space)
    assert_goes_on(subject, LayerSpace(subject, "relu1"))


def test_columns_of_a_table_are_in_its_units(tmp_path: Path, as_before: None) -> None:
    rows = [f"{n},{'red' if n % 3 else 'blue'},{'ab'[n % 2]}" for n in range(100, 160)]
    (tmp_path / "flowers.csv").write_text("\n".join(["length,colour,species", *rows]))
    subject = subject_of(tmp_path, TABLE, "data.test=0.1")
    space = InputSpace(subject)
    assert space.names == ["length", "colour = blue", "colour = red", "colour = other"]
    assert_goes_on(subject, space)
    points = space.of(subject.chosen(range(5), "train").inputs)
    assert torch.allclose(points[:, 0].round(), points[:, 0], atol=1e-4)
    assert bool((points[:, 0] >= 100).all())


def test_a_layer_that_is_not_there_is_a_fault_with_the_nearest(moons: Subject) -> None:
    with pytest.raises(FaultError, match=r"there is no layer tahn1\n.*did you mean tanh1"):
        LayerSpace(moons, "tahn1")
