"""The zoo against what is published, and against torchvision's networks, number by number."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.parsing import parse
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment, Loaded, complete
from cnnctl.inspection import gather
from cnnctl.model import network, zoo
from cnnctl.model.expansion import expand
from cnnctl.model.weights import fit_weights

NAMES = sorted(zoo.Network.kinds)

PUBLISHED = {
    "alexnet": (61_100_840, 0.714),
    "vgg11": (132_863_336, 7.609),
    "vgg16": (138_357_544, 15.470),
    "vgg19": (143_667_240, 19.632),
    "vgg16_bn": (138_365_992, 15.470),
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "googlenet": (6_624_904, 1.498),
    "densenet121": (7_978_856, 2.834),
    "densenet169": (14_149_480, 3.360),
    "squeezenet1_0": (1_248_424, 0.819),
    "squeezenet1_1": (1_235_496, 0.349),
    "mobilenet_v2": (3_504_872, 0.301),
}
"""Parameters and 10^9 multiply-adds, as torchvision documents them."""

PARAMETERS = {
    "lenet1": 4 * 26 + 12 * 101 + 16 * 12 * 10 + 10,
    "lenet4": 4 * 26 + 16 * 101 + 401 * 120 + 1210,  # LeCun et al. 1995: 51,000
    "zf5": 62_357_608,  # by hand: 3,726,464 in convolutions, 58,631,144 behind them
    "lenet5": 61_706,
    "resnet20": 269_722,  # He et al. 2015, table 6: 0.27 M
    "wide_resnet": 36_479_194,  # Zagoruyko and Komodakis 2016, table 4: 36.5 M
    "densenet_bc": 769_162,  # Huang et al. 2016, table 2: 0.8 M
    "mlp": 784 * 300 + 300 + 300 * 100 + 100 + 1010,
}

TWINS = [name for name in NAMES if hasattr(torchvision.models, name)]
QUICK = {"squeezenet1_1", "mobilenet_v2", "resnet18", "googlenet"}


def slow(names: list[str]) -> list[Any]:
    """The names as parameters; all but the quick ones only in CI."""
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in names]


def published(name: str, *overrides: str) -> Loaded:
    return complete(zoo.experiment_of(name), name, overrides)


@pytest.mark.parametrize("name", PUBLISHED)
def test_size_and_cost_are_the_published_ones(name: str) -> None:
    parameters, billions = PUBLISHED[name]
    facts = gather(published(name).plan, batch_size=1)
    assert facts.parameters == parameters
    assert round(facts.multiply_adds / 1e9, 3) == billions


@pytest.mark.parametrize("name", PARAMETERS)
def test_small_networks_have_the_published_size(name: str) -> None:
    assert gather(published(name).plan, batch_size=1).parameters == PARAMETERS[name]


def twins(name: str, *, side: int) -> tuple[nn.Module, nn.Module, Tensor]:
    """torchvision's network, ours with its weights, and an image."""
    torch.manual_seed(0)
    options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, weights=None, **options)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that statistics are not all 0 and 1
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    loaded = published(name, f"data.shape=[3,{side},{side}]")
    ours = network.build(loaded.plan, seed=1)
    assert not fit_weights(ours, theirs.state_dict())
    return theirs.eval(), ours.eval(), torch.randn(2, 3, side, side)


@pytest.mark.parametrize("name", slow(TWINS))
def test_with_torchvisions_weights_the_outputs_agree(name: str) -> None:
    theirs, ours, images = twins(name, side=96)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", slow(["resnet18", "densenet121", "googlenet"]))
def test_with_torchvisions_weights_the_gradients_agree(name: str) -> None:
    theirs, ours, images = twins(name, side=64)
    for module in (theirs, ours):
        module(images).square().sum().backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        scale = float(other.grad.abs().max()) or 1.0
        torch.testing.assert_close(mine.grad / scale, other.grad / scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_fits_a_page(name: str) -> None:
    text = (zoo.FOLDER / zoo.find(name).file).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_the_same_network(name: str) -> None:
    shown = zoo.text_of(zoo.find(name), from_plain({}, Place(name)))
    root = expand(parse(shown, origin=f"{name}.yaml"))
    experiment = validate(Experiment, root)
    assert experiment.model == published(name).experiment.model


def test_every_file_is_used() -> None:
    files = {path.name for path in Path(zoo.FOLDER).glob("*.yaml")}
    assert files == {zoo.find(name).file for name in NAMES}


def test_options_change_the_network() -> None:
    narrow = published("resnet18", "model.width=16", "model.stem=cifar", "data.shape=[3,32,32]")
    assert narrow.plan.stages[0].output == (16, 32, 32)
    # kuangliu's pytorch-cifar and many after it
    for_cifar = published("resnet18", "model.stem=cifar", "data.shape=[3,32,32]", "data.classes=10")
    assert gather(for_cifar.plan, batch_size=1).parameters == 11_173_962
    assert gather(published("mlp", "model.hidden=[5]").plan, batch_size=1).parameters == 3985


@pytest.mark.parametrize("width", [0.25, 0.5, 0.75, 1.4])
def test_mobilenets_of_other_widths_are_torchvisions(width: float) -> None:
    with torch.device("meta"):
        theirs = torchvision.models.mobilenet_v2(width_mult=width)
    ours = network.outline(published("mobilenet_v2", f"model.width={width}").plan)
    shapes = [[p.shape for p in module.parameters()] for module in (ours, theirs)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("name", "strides_in", "field"),
    [
        ("resnet50", "3x3", 427),
        ("resnet50", "1x1", 483),
        ("resnet101", "3x3", 971),
        ("resnet101", "1x1", 1027),
    ],
)
def test_the_field_depends_on_where_bottlenecks_stride(
    name: str, strides_in: str, field: int
) -> None:
    rows = gather(published(name, f"model.strides_in={strides_in}").plan, batch_size=1).rows
    assert max(row.field.size[0] for row in rows if row.field) == field


def test_zf5_has_the_published_fields_strides_and_sizes() -> None:
    rows = gather(published("zf5").plan, batch_size=1).rows
    windows = [row for row in rows if row.kind in ("conv", "max_pool")][:7]
    assert [row.field and row.field.size[0] for row in windows] == [7, 11, 27, 43, 75, 107, 139]
    assert [row.field and row.field.stride[0] for row in windows] == [2, 4, 8, 16, 16, 16, 16]
    assert [row.output[1] for row in windows] == [112, 56, 28, 14, 14, 14, 14]


@pytest.mark.parametrize(
    ("overrides", "fault"),
    [
        (["model.zoo=resnet81"], "model.zoo: no network of the zoo is named resnet81"),
        (["model.widht=8"], "did you mean width?"),
        (["model.width=0"], "model.width: 0 is too small"),
        (["model.stem=cifra"], "did you mean cifar?"),
        (["model.layers=[relu]"], "layers and zoo each name a network"),
    ],
)
def test_what_is_wrong_is_told_at_its_option(overrides: list[str], fault: str) -> None:
    with pytest.raises(FaultError) as raised:
        published("resnet18", *overrides)
    assert fault in str(raised.value)


def test_an_input_that_is_too_small_is_told_with_the_line_of_the_file() -> None:
    with pytest.raises(FaultError) as raised:
        published("alexnet", "data.shape=[3,20,20]")
    assert "zoo/alexnet.yaml:" in str(raised.value)
    assert "alexnet: model.zoo: the network does not fit" in str(raised.value)
