"""Whether a network takes images of other sizes is found on the meta device, with the layer."""

from __future__ import annotations

from functools import partial

import pytest

from cnnctl.model.other_sizes import unfit_size
from tests.model.conftest import read_plan

FULL = (3, 32, 32)
CONV = "conv: {out_channels: 4, kernel_size: 3}"


def fault_of(layers: str, *sizes: tuple[int, int]) -> str:
    text = f"{{layers: [{layers}]}}"
    plan = read_plan(text, FULL)
    fault = unfit_size(plan, sizes, replan=partial(read_plan, text))
    return "" if fault is None else fault.message


@pytest.mark.parametrize(
    "layers",
    [
        f"{CONV}, batch_norm, relu, global_avg_pool, linear: 10",
        f"{CONV}, adaptive_avg_pool: 2, flatten, linear: 10",
        "residual: [conv: {out_channels: 3, kernel_size: 3, padding: 1}], global_avg_pool",
    ],
)
def test_networks_that_pool_to_one_size_take_all(layers: str) -> None:
    assert not fault_of(layers, (32, 32), (20, 20), (9, 14))


def test_the_layer_whose_weights_depend_on_the_size_is_named() -> None:
    found = fault_of(f"{CONV}, relu, flatten, linear: 7, tanh, linear: 10", (32, 32), (16, 16))
    assert found == (
        "linear1 has weights for a vector of 3600, but images of 16x16 give a vector of 784"
    )


def test_images_that_are_too_small_are_told_with_the_layer() -> None:
    layers = f"{CONV}, max_pool: 4, {CONV}, global_avg_pool, linear: 10"
    assert not fault_of(layers, (16, 16))
    found = fault_of(layers, (8, 8))
    assert found.startswith("the network does not take images of 8x8: ")


def test_outputs_that_depend_on_the_size_do_not_fit() -> None:
    found = fault_of(f"{CONV}, flatten", (16, 16))
    assert found == "the network does not take images of 16x16"


def test_the_plan_is_left_as_it_is() -> None:
    text = f"{{layers: [{CONV}, batch_norm, global_avg_pool, linear: 10]}}"
    plan = read_plan(text, FULL)
    before = plan.on_meta
    unfit_size(plan, [(9, 9)], replan=partial(read_plan, text))
    assert plan.on_meta is before
