"""The drawing of a network."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnnctl.errors import FaultError
from cnnctl.experiment import load
from cnnctl.inspection.drawing import Box, Drawing, Frame, drawing_of
from cnnctl.inspection.graph import draw, to_mermaid
from cnnctl.model.layer import Layer
from cnnctl.model.network import Model, NetworkPlan, plan
from tests.examples import published


@pytest.fixture(scope="module")
def resnet() -> NetworkPlan:
    return published("resnet20").plan


def every(items: list[Box | Frame], kind: type[Box | Frame]) -> Iterator[Box | Frame]:
    for item in items:
        if isinstance(item, kind):
            yield item
        if isinstance(item, Frame):
            yield from every(item.items, kind)


def test_every_layer_is_a_box_and_every_block_a_frame(resnet: NetworkPlan) -> None:
    drawing = drawing_of(resnet)
    boxes = [box.identity for box in every(drawing.items, Box)]
    assert len(boxes) == len(set(boxes)) == 1 + sum(1 for _ in resnet.leaves())
    assert sum(1 for _ in every(drawing.items, Frame)) == 12  # nine blocks, and three repeats
    assert {end for arrow in drawing.arrows for end in arrow} == set(boxes)


def test_a_residual_has_two_ways_to_its_activation(resnet: NetworkPlan) -> None:
    arrows = drawing_of(resnet).arrows
    for source in ("n_basic1__batch_norm2", "n_basic1__shortcut__pad_channels1"):
        assert (source, "n_basic1__activation__relu1") in arrows


def test_an_identity_is_an_arrow_from_before_the_block(resnet: NetworkPlan) -> None:
    assert ("n_relu1", "n_repeat1__1__basic1__activation__relu1") in drawing_of(resnet).arrows


def test_ways_that_nothing_takes_up_are_joined_in_a_box_of_their_own() -> None:
    plan = published("squeezenet1_1").plan
    drawing = drawing_of(plan)
    joins = [box for box in every(drawing.items, Box) if isinstance(box, Box)]
    joins = [box for box in joins if box.family == "join"]
    # eight fire modules, whose two ways of 64 to 256 channels give twice as many
    sides = [128, 128, 256, 256, 384, 384, 512, 512]
    assert [int(box.detail.split("x")[0]) for box in joins] == sides
    assert {box.title for box in joins} == {"concatenate"}
    for box in joins:
        assert sum(target == box.identity for _, target in drawing.arrows) == 2
        assert sum(source == box.identity for source, _ in drawing.arrows) == 1


def test_a_residual_without_activation_adds_in_a_box() -> None:
    plan = published("preact_resnet18").plan
    titles = [box.title for box in every(drawing_of(plan).items, Box) if isinstance(box, Box)]
    assert titles.count("add") == 8


def test_a_dense_step_gets_an_arrow_from_all_before_it() -> None:
    plan = published("densenet_bc", "model.depth=16").plan
    arrows = drawing_of(plan).arrows
    for source in ("conv1", "dense1__1__dense_layer1__conv2", "dense1__2__dense_layer1__conv2"):
        assert (f"n_{source}", "n_transition1__batch_norm1") in arrows


def drawn(layer: dict[str, Any]) -> Drawing:
    model = Model(layers=[Layer.read(item) for item in ("tanh", layer, "silu")])
    return drawing_of(plan(model, input=(1, 8, 8), classes=3))


def test_a_sequence_that_ends_in_dense_steps_adds_nothing() -> None:
    steps = {"dense": {"layers": [{"conv": {"out_channels": 2, "padding": 1}}]}}
    drawing = drawn({"sequence": [steps]})
    assert "add" not in [item.title for item in every(drawing.items, Box)]
    assert [source for source, target in drawing.arrows if target == "n_silu1"] == [
        "n_tanh1",
        "n_sequence1__dense1__1__conv1",
    ]


def test_a_tensor_that_is_added_to_itself_goes_through_a_box() -> None:
    arrows = drawn({"branches": {"ways": [[], []], "join": "add"}}).arrows
    assert arrows[1:] == [("n_tanh1", "n_branches1__join"), ("n_branches1__join", "n_silu1")]


def test_an_auxiliary_classifier_is_a_way_that_ends() -> None:
    plan = published("googlenet", "model.auxiliary=true").plan
    arrows = drawing_of(plan, depth=1).arrows
    assert ("n_inception3", "n_aux1") in arrows
    assert ("n_inception3", "n_inception4") in arrows
    assert not [target for source, target in arrows if source == "n_aux1"]
    inside = [a for a in drawing_of(plan).arrows if a[0].startswith("n_aux1__")]
    assert all(target.startswith("n_aux1__") for _, target in inside)


def test_heads_have_their_names_on_frames() -> None:
    plan = load(Path(__file__).parents[2] / "configs" / "digit-and-parity.yaml").plan
    frames = {frame.title: frame for frame in every(drawing_of(plan).items, Frame)}
    assert set(frames) == {"heads", "digit", "parity"}
    parity = frames["parity"]
    assert isinstance(parity, Frame)
    assert [item.title for item in parity.items] == ["linear1", "relu1", "linear2"]


def test_blocks_are_folded_below_a_depth(resnet: NetworkPlan) -> None:
    drawing = drawing_of(resnet, depth=1)
    assert not list(every(drawing.items, Frame))
    titles = [box.title for box in every(drawing.items, Box) if isinstance(box, Box)]
    assert titles[:6] == ["input", "conv1", "batch_norm1", "relu1", "repeat1", "basic1"]
    pairs = [("n_relu1", "n_repeat1"), ("n_repeat1", "n_basic1")]
    assert set(pairs) <= set(drawing.arrows)


def test_mermaid_has_a_line_for_each(resnet: NetworkPlan) -> None:
    drawing = drawing_of(resnet)
    text = to_mermaid(drawing)
    assert text.startswith('flowchart TD\n    n_input(["input 3x32x32"])\n')
    assert text.count("<br>") == sum(1 for _ in resnet.leaves())
    assert text.count("subgraph ") == text.count("    end\n") == 12
    assert text.count(" --> ") == len(drawing.arrows)


@pytest.mark.parametrize("suffix", [".mmd", ".dot", ".gv"])
def test_texts_need_no_graphviz(
    suffix: str, resnet: NetworkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    draw(resnet, tmp_path / f"größe{suffix}")
    text = (tmp_path / f"größe{suffix}").read_text(encoding="utf-8")
    assert "16x32x32" in text
    assert ("digraph" in text) == (suffix != ".mmd")


def test_pictures_need_no_program_of_the_system(
    resnet: NetworkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    draw(resnet, tmp_path / "net.svg", depth=1)
    assert (tmp_path / "net.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_without_the_package_the_extra_is_named(
    resnet: NetworkPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(FaultError, match=r"pip install 'cnnctl\[graph\]'"):
        draw(resnet, tmp_path / "net.svg")
    assert not list(tmp_path.iterdir())


def test_a_suffix_that_is_no_drawing_is_reported(resnet: NetworkPlan, tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"use a file name ending in one of \.svg"):
        draw(resnet, tmp_path / "net.txt")


def test_graphviz_draws_every_box_frame_and_arrow(resnet: NetworkPlan, tmp_path: Path) -> None:
    drawing: Drawing = drawing_of(resnet)
    draw(resnet, tmp_path / "net.svg")
    groups = [g.get("class") for g in ET.parse(tmp_path / "net.svg").iter() if g.tag.endswith("}g")]
    assert groups.count("node") == sum(1 for _ in every(drawing.items, Box))
    assert groups.count("cluster") == 12
    assert groups.count("edge") == len(drawing.arrows)


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_other_pictures_are_what_they_are_called(
    suffix: str, magic: bytes, resnet: NetworkPlan, tmp_path: Path
) -> None:
    draw(resnet, tmp_path / f"net{suffix}", depth=1)
    assert (tmp_path / f"net{suffix}").read_bytes().startswith(magic)
