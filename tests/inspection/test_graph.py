"""The drawing of a network."""

from pathlib import Path

import pytest

from cnnctl.errors import FaultError
from cnnctl.experiment import complete
from cnnctl.inspection.graph import draw, to_mermaid
from cnnctl.model import zoo
from cnnctl.model.network import Plan


@pytest.fixture(scope="module")
def resnet() -> Plan:
    return complete(zoo.experiment_of("resnet20"), "resnet20").plan


def test_every_layer_is_a_box_and_every_block_a_frame(resnet: Plan) -> None:
    text = to_mermaid(resnet)
    assert text.startswith("flowchart TD\n")
    assert text.count("<br>") == sum(1 for _ in resnet.leaves())
    assert text.count("subgraph ") == text.count("    end\n")


def test_a_residual_has_two_ways_to_its_activation(resnet: Plan) -> None:
    lines = to_mermaid(resnet).splitlines()
    body, around = "n_basic1_batch_norm2", "n_basic1_shortcut_pad_channels1"
    for source in (body, around):
        assert f"    {source} --> n_basic1_activation_relu1" in lines


def test_an_identity_is_an_arrow_from_before_the_block(resnet: Plan) -> None:
    lines = to_mermaid(resnet).splitlines()
    assert "    n_relu1 --> n_repeat1_1_basic1_activation_relu1" in lines


def test_it_is_written_to_a_file_of_its_kind(resnet: Plan, tmp_path: Path) -> None:
    draw(resnet, tmp_path / "größe.mmd")
    assert (tmp_path / "größe.mmd").read_text(encoding="utf-8") == to_mermaid(resnet)
    with pytest.raises(FaultError, match=r"name a \.mmd file"):
        draw(resnet, tmp_path / "net.png")


def test_a_dense_step_gets_an_arrow_from_all_before_it() -> None:
    plan = complete(zoo.experiment_of("densenet_bc"), "dense", ["model.depth=16"]).plan
    lines = to_mermaid(plan).splitlines()
    for source in ("conv1", "dense1_1_dense_layer1_conv2", "dense1_2_dense_layer1_conv2"):
        assert f"    n_{source} --> n_transition1_batch_norm1" in lines
