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
from cnnctl.errors import FaultError, dotted
from cnnctl.experiment import Experiment
from cnnctl.inspection import gather
from cnnctl.model import network, zoo
from cnnctl.model.expansion import expand
from cnnctl.model.matching import fit_weights, match_weights
from tests.examples import SHALLOWEST, one_of_a_kind, published

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
    "mobilenet_v3_large": (5_483_032, 0.217),
    "mobilenet_v3_small": (2_542_856, 0.057),
    "shufflenet_v2_x0_5": (1_366_792, 0.040),
    "shufflenet_v2_x1_0": (2_278_604, 0.145),
    "shufflenet_v2_x1_5": (3_503_624, 0.296),
    "shufflenet_v2_x2_0": (7_393_996, 0.583),
    "efficientnet_b0": (5_288_548, 0.386),
    "resnext50_32x4d": (25_028_904, 4.230),
    "resnext101_32x8d": (88_791_336, 16.414),
    "resnext101_64x4d": (83_455_272, 15.460),
    "wide_resnet50_2": (68_883_240, 11.398),
    "wide_resnet101_2": (126_886_696, 22.753),
    "convnext_tiny": (28_589_128, 4.456),
    "convnext_small": (50_223_688, 8.684),
    "convnext_base": (88_591_464, 15.355),
    "convnext_large": (197_767_336, 34.361),
}
"""Parameters and 10^9 multiply-adds, as torchvision documents them."""

PARAMETERS = {
    "lenet1": 4 * 26 + 12 * 101 + 10 * 193,
    "lenet4": 4 * 26 + 16 * 101 + 120 * 401 + 10 * 121,
    "lenet5": 61_706,
    "zf5": sum(
        outputs * (inputs + 1)
        for inputs, outputs in [
            *((3 * 49, 96), (96 * 25, 256), (256 * 9, 384), (384 * 9, 384), (384 * 9, 256)),
            *((256 * 36, 4096), (4096, 4096), (4096, 1000)),
        ]
    ),
    "resnet20": 269_722,  # He et al. 2015, table 6: 0.27 M
    "resnet32": 464_154,  # 0.46 M
    "resnet44": 658_586,  # 0.66 M
    "resnet56": 853_018,  # 0.85 M
    "resnet110": 1_727_962,  # 1.7 M
    "resnet18 model.stem=cifar data.shape=[3,32,32] data.classes=10": 11_173_962,  # kuangliu's
    "preact_resnet18": 11_171_146 + 2 * 512,  # kuangliu's, which lacks the last batch norm
    "resnet9": 6_573_120,  # Page's
    "wide_resnet": 36_479_194,  # Zagoruyko and Komodakis 2016, table 4: 36.5 M
    "wide_resnet model.depth=16 model.width=8": 10_961_370,  # 11.0 M
    "wide_resnet model.depth=40 model.width=4": 8_949_210,  # 8.9 M
    "densenet_bc": 769_162,  # Huang et al. 2016, table 2: 0.8 M
    "densenet_bc model.depth=250 model.growth=24": 15_324_406,  # 15.3 M
    "densenet_bc model.depth=190 model.growth=40": 25_624_430,  # 25.6 M
    "keras_cnn": 1_250_858,  # as Keras prints it
    "all_cnn_c": 1_369_738,  # Springenberg et al. 2014: 1.4 M
    "network_in_network": (
        (192 * 76 + 160 * 193 + 96 * 161)
        + (192 * 2401 + 192 * 193 + 192 * 193)
        + (192 * 1729 + 192 * 193 + 10 * 193)
    ),
    "mlp": 784 * 300 + 300 + 300 * 100 + 100 + 1010,
    "mlp model.hidden=[5]": 785 * 5 + 6 * 10,
}
"""Parameters of a network with options; from its paper, a well-known twin, or by hand."""

TWINS = [name for name in NAMES if hasattr(torchvision.models, name)]
QUICK = {"squeezenet1_1", "mobilenet_v2", "resnet18", "googlenet", "shufflenet_v2_x0_5"}


def slow(names: list[str]) -> list[Any]:
    """The names as parameters; all but the quick ones only in CI."""
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in names]


@pytest.mark.parametrize("name", one_of_a_kind(PUBLISHED))
def test_size_and_cost_are_the_published_ones(name: str) -> None:
    parameters, billions = PUBLISHED[name]
    facts = gather(published(name).plan, batch_size=1)
    assert facts.parameters == parameters
    assert round(facts.multiply_adds / 1e9, 3) == billions


@pytest.mark.parametrize("written", one_of_a_kind(PARAMETERS))
def test_other_networks_have_the_published_size(written: str) -> None:
    plan = published(*written.split()).plan
    assert gather(plan, batch_size=1).parameters == PARAMETERS[written]


def twins(name: str, *, side: int) -> tuple[nn.Module, nn.Module, Tensor]:
    """torchvision's network, ours with its weights, and an image."""
    torch.manual_seed(0)
    options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, weights=None, **options)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that statistics are not all 0 and 1
            statistics = dict(module.named_buffers())
            nn.init.uniform_(statistics["running_mean"], -0.1, 0.1)
            nn.init.uniform_(statistics["running_var"], 0.5, 1.5)
    loaded = published(name, f"data.shape=[3,{side},{side}]")
    ours = network.build(loaded.plan, seed=1)
    assert not fit_weights(ours, theirs.state_dict())
    return theirs.eval(), ours.eval(), torch.randn(2, 3, side, side)


@pytest.mark.parametrize("name", slow(TWINS))
def test_with_torchvisions_weights_the_outputs_agree(name: str) -> None:
    theirs, ours, images = twins(name, side=96)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    slow(["resnet18", "densenet121", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5"]),
)
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


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(pytest.param(n, {}, marks=[pytest.mark.long] * (n not in SHALLOWEST)) for n in NAMES),
        ("resnet50", {"strides_in": "1x1", "stem": "cifar"}),
        ("wide_resnet", {"dropout": 0.3}),
        ("densenet_bc", {"dropout": 0.2, "depth": 40}),
        ("mobilenet_v2", {"width": 0.5}),
    ],
)
def test_what_is_shown_is_the_same_network(name: str, options: dict[str, Any]) -> None:
    shown = zoo.text_of(zoo.find(name), from_plain(options, Place(name)))
    assert max(map(len, shown.splitlines())) <= 100
    root = expand(parse(shown, origin=f"{name}.yaml"))
    experiment = validate(Experiment, root)
    overrides = [f"model.{key}={value}" for key, value in options.items()]
    assert experiment.model == published(name, *overrides).experiment.model


def test_every_file_is_used() -> None:
    files = {path.name for path in Path(zoo.FOLDER).glob("*.yaml")}
    assert files == {zoo.find(name).file for name in NAMES}


def dropouts(*written: str) -> list[float]:
    """The chance of each dropout of a network that is written so."""
    modules = network.meta_network(published(*written).plan).modules()
    return [module.p for module in modules if isinstance(module, nn.Dropout)]


def test_dropout_stands_where_the_papers_have_it() -> None:
    assert dropouts("wide_resnet") == dropouts("densenet_bc") == []
    # Zagoruyko and Komodakis 2016: one in each of 3n blocks
    assert dropouts("wide_resnet", "model.depth=16", "model.dropout=0.3") == [0.3] * 6
    # Huang et al. 2016: behind every convolution but the first
    assert dropouts("densenet_bc", "model.depth=16", "model.dropout=0.2") == [0.2] * (16 - 2)


def chances(module: nn.Module) -> list[float]:
    """Those of leaving out a block that has a shortcut."""
    parts = module.modules()
    blocks = (part for part in parts if getattr(part, "use_res_connect", True))
    drops: list[Any] = [
        child for block in blocks for child in block.children() if is_left_out(child)
    ]
    return [drop.p for drop in drops]


def is_left_out(module: nn.Module) -> bool:
    return isinstance(module, torchvision.ops.StochasticDepth)


@pytest.mark.parametrize(
    "name",
    one_of_a_kind(["efficientnet_b0", "convnext_tiny", "convnext_small", "convnext_base"]),
)
def test_blocks_are_left_out_as_often_as_torchvisions(name: str) -> None:
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None)
    ours = network.meta_network(published(name).plan)
    assert chances(ours) == pytest.approx(chances(theirs), abs=1e-6)
    assert len(chances(ours)) > 8


def test_a_width_is_that_of_the_first_stage() -> None:
    for name in ("resnet18", "resnet9", "resnet20", "preact_resnet18"):
        stages = published(name, "model.width=8").plan.layers
        assert (stages[0].output[0], stages[-1].input[0]) == (8, 32 if name == "resnet20" else 64)


def shapes(module: nn.Module) -> list[torch.Size]:
    return [parameter.shape for parameter in module.parameters()]


@pytest.mark.parametrize("name", one_of_a_kind(TWINS))
def test_every_tensor_of_torchvisions_has_its_place(name: str) -> None:
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None, **options).state_dict()
    matched = match_weights(network.meta_network(published(name).plan), theirs)
    assert not matched.left_out
    assert len(matched.tensors) == len(theirs)


@pytest.mark.parametrize("width", [0.25, 0.35, 0.5, 0.75, 1.4])
def test_mobilenets_of_other_widths_are_torchvisions(width: float) -> None:
    with torch.device("meta"):
        theirs = torchvision.models.mobilenet_v2(width_mult=width)
    assert shapes(network.meta_network(published("mobilenet_v2", f"model.width={width}").plan)) == (
        shapes(theirs)
    )


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
    ("written", "fault", "hint"),
    [
        ("zoo=resnet81", "zoo: no network of the zoo is named resnet81", "did you mean resnet18?"),
        ("zoo=lennet1", "no network of the zoo is named lennet1", "did you mean lenet1?"),
        ("zoo=xyz", "no network of the zoo is named xyz", "`cnnctl list zoo` lists all"),
        ("widht=8", "resnet18 has no such option", "did you mean width?"),
        ("width=0", "width: 0 is too small", "write a number greater than 0"),
        ("width=5000", "width: 5000 is too large", "write a number of at most 4096"),
        ("stem=cifra", "stem: cifra is not imagenet or cifar", "did you mean cifar?"),
        ("layers=[relu] zoo=resnet18", "layers and zoo both name a network", "keep one of them"),
        ("zoo=mobilenet_v2 width=0.1", "0.1 is too small", "write a number of at least 0.25"),
        ("zoo=wide_resnet depth=30", "30 is not 16, 22, 28", "write 16, 22, 28"),
        ("zoo=wide_resnet dropout=1", "1 is too large", "write a number less than 1"),
        ("zoo=densenet_bc depth=50", "depth: 50 layers are not 6n + 4", "write 46 or 52"),
        ("zoo=resnet50 strides_in=5x5", "5x5 is not 3x3 or 1x1", "write 3x3 or 1x1"),
        ("zoo=lenet1 width=4", "lenet1 has no such option", "known: "),
        ("zoo=mlp hidden=[]", "hidden: [] is too short", "write a list of at least 1 item"),
    ],
)
def test_what_is_wrong_is_reported_at_its_option(written: str, fault: str, hint: str) -> None:
    with pytest.raises(FaultError) as raised:
        published("resnet18", *(f"model.{override}" for override in written.split()))
    (found,) = raised.value.faults
    assert dotted(found.path) == f"model.{written.rpartition(' ')[2].partition('=')[0]}"
    assert fault in str(found)
    assert hint in found.hint


def test_an_input_that_is_too_small_is_reported_with_the_line_of_the_file() -> None:
    with pytest.raises(FaultError) as raised:
        published("alexnet", "data.shape=[3,20,20]")
    assert "zoo/alexnet.yaml:" in str(raised.value)
    assert "alexnet: model.zoo: the network does not fit" in str(raised.value)
