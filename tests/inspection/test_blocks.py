"""What a summary says of blocks: a tree whose sums are right, and fields through every way."""

import json

import pytest
import torch
from torch import Tensor, nn

from cnnctl.inspection import Report, gather, to_json
from cnnctl.inspection.tables import MOST_ROWS, shown
from cnnctl.model import network
from cnnctl.model.network import NetworkPlan
from tests.examples import published


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("resnet18", 435),
        ("resnet34", 899),
        ("resnet50", 427),
        ("resnet101", 971),
        ("resnet20", 81),
    ],
)
def test_the_field_through_residuals_is_the_published_one(name: str, field: int) -> None:
    rows = gather(published(name).plan, batch_size=1).rows
    last = [row.field for row in rows if row.field is not None][-1]
    assert last.size == (field, field)


def test_vgg_pools_have_the_published_fields() -> None:
    rows = gather(published("vgg16").plan, batch_size=1).rows
    pools = [row.field for row in rows if row.kind == "max_pool"]
    assert [field.size[0] for field in pools if field] == [6, 16, 44, 100, 212]
    assert [field.stride[0] for field in pools if field] == [2, 4, 8, 16, 32]


def measurable(plan: NetworkPlan) -> nn.Sequential:
    """The network with positive weights, and means for maxima, whose gradient is all there."""
    built = network.build(plan, seed=0).eval().double()
    generator = torch.Generator().manual_seed(0)
    for parameter in built.parameters():
        nn.init.uniform_(parameter.data, 0.5, 1.0, generator=generator)
    for module in list(built.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                mean = nn.AvgPool2d(
                    child.kernel_size, child.stride, child.padding, ceil_mode=child.ceil_mode
                )
                setattr(module, name, mean)
    return built


def extent(output: Tensor, images: Tensor) -> tuple[int, int]:
    """The first and the last column of the input that the unit in the middle depends on."""
    middle = output.shape[-1] // 2
    (gradient,) = torch.autograd.grad(output[0, :, middle, middle].sum(), images, retain_graph=True)
    reached = gradient[0].abs().sum(dim=0).amax(dim=0).nonzero().flatten()
    return int(reached[0]), int(reached[-1])


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("resnet20", []),
        ("densenet_bc", ["model.depth=16"]),
        ("squeezenet1_1", []),
        ("preact_resnet18", ["model.width=8"]),
        pytest.param("alexnet", [], marks=pytest.mark.long),
        pytest.param("vgg11", [], marks=pytest.mark.long),
        pytest.param("zf5", [], marks=pytest.mark.long),
        ("shufflenet_v2_x0_5", []),
        ("googlenet", ["model.auxiliary=true"]),
    ],
)
def test_the_field_is_what_a_gradient_reaches(name: str, overrides: list[str]) -> None:
    """The extent of the input that one output unit depends on, at every layer that has one."""
    side = {"alexnet": 224, "zf5": 224, "vgg11": 224, "googlenet": 224, "squeezenet1_1": 255}.get(
        name, 95
    )
    plan = published(name, f"data.shape=[3,{side},{side}]", *overrides).plan
    fields = {row.name: row.field for row in gather(plan, batch_size=1).rows if row.depth == 0}
    images = torch.rand(1, *plan.input, dtype=torch.float64, requires_grad=True)
    output, checked = images, 0
    for child_name, child in measurable(plan).named_children():
        output, field = child(output), fields[child_name]
        if field is None or field.size[0] > side // 2:
            break
        first, last = extent(output, images)
        if first > 0 and last < plan.input[-1] - 1:
            assert last - first + 1 == field.size[1], child_name
            checked += 1
    assert checked >= 3


def test_a_block_is_the_sum_of_what_is_in_it() -> None:
    summary = gather(published("resnet18").plan, batch_size=2)
    top = [row for row in summary.rows if row.depth == 0]
    assert sum(row.parameters for row in top) == summary.parameters
    assert sum(row.multiply_adds or 0 for row in top) == summary.multiply_adds
    assert sum(row.activation_bytes for row in top) == summary.activation_bytes
    built = network.build(published("resnet18").plan, seed=0)
    for row in summary.rows:
        module = built.get_submodule(row.name)
        assert row.parameters == sum(p.numel() for p in module.parameters())


def test_blocks_fold_at_a_depth_and_where_a_page_is_full() -> None:
    summary = gather(published("resnet50").plan, batch_size=1)
    assert {row.depth for row in shown(summary, 1)} == {0}
    assert {row.depth for row in shown(summary, 2)} == {0, 1}
    assert len(shown(summary, None)) <= MOST_ROWS < len(summary.rows)


def test_json_holds_every_row_whatever_is_folded() -> None:
    summary = gather(published("resnet50").plan, batch_size=1)
    data = json.loads(json.dumps(to_json(Report(summary))))
    assert len(data["layers"]) == len(summary.rows)
    assert {"basic", "is_block"} & set(data["layers"][0]) == {"is_block"}
