"""Every network of the zoo, every shipped experiment and every layer as PyTorch source."""

from pathlib import Path

import pytest

from cnnctl.errors import FaultError
from cnnctl.export import fresh
from cnnctl.export.format import Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import open_original
from cnnctl.model.layer import Shape
from cnnctl.model.network import Model, NetworkPlan
from cnnctl.model.network import plan as plan_network
from cnnctl.model.zoo import Network
from cnnctl.shipped import experiments
from tests.examples import BLOCKS, INPUTS, LEAVES, SHALLOWEST, example, published
from tests.export.running import reduced
from tests.export.source.twins import assert_plain, assert_same, source

VARIANTS = (
    "googlenet model.auxiliary=true",
    "wide_resnet model.dropout=0.3",
    "densenet_bc model.dropout=0.2",
    "resnet50 model.strides_in=1x1",
    "resnet18 model.stem=cifar",
    "mobilenet_v2 model.width=0.35",
)
NEEDS_A_VECTOR = "auxiliary"
"""Its outputs are joined with those of the network, which have to be a vector."""


def plans_of(kind: str) -> list[NetworkPlan]:
    """A network of this kind alone, for every input that it takes."""
    found = []
    inputs: list[Shape] = [(3, 64, 64)] if kind == "torchvision" else INPUTS
    layers = [example(kind), *(["flatten"] if kind == NEEDS_A_VECTOR else [])]
    for shape in inputs:
        try:
            model = Model.model_validate({"layers": layers})
            found.append(plan_network(model, input=shape, classes=3))
        except FaultError:
            continue
    return found


@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS])
def test_a_layer_computes_the_same_as_source(kind: str) -> None:
    plans = plans_of(kind)
    assert plans
    for plan in plans:
        assert_same(plan, source(plan))


@pytest.mark.long
@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS, "torchvision"])
def test_a_layer_is_plain_pytorch(kind: str) -> None:
    for plan in plans_of(kind):
        text = source(plan)
        assert_plain(text)
        assert_same(plan, text)


@pytest.mark.long
@pytest.mark.parametrize("name", [*Network.kinds, *VARIANTS])
def test_a_published_network_computes_the_same_as_source(name: str) -> None:
    plan = published(*name.split()).plan
    text = source(plan)
    assert_plain(text)
    assert_same(plan, text)


@pytest.mark.long
@pytest.mark.parametrize("name", [*experiments(), *SHALLOWEST])
def test_an_export_runs_without_this_program(name: str, tmp_path: Path) -> None:
    smaller = reduced(name) if name in Network.kinds else ()
    original, chosen = open_original(Path(name), smaller, data_root=tmp_path), FORMATS["source"]
    file = tmp_path / "network.py"
    for each, content in chosen.contents(original, Wishes(), file).items():
        (tmp_path / each).write_bytes(content)
    assert_plain(file.read_text(encoding="utf-8"))
    assert chosen.check(original, Wishes(), file, fresh.run).difference < 1e-5
