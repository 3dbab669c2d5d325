"""What products of ways keep, held against autograd, whichever factors learn."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.inspection import gather
from cnnctl.model import network
from cnnctl.model.freezing import freezing_of
from cnnctl.model.network import Model, NetworkPlan
from tests.inspection.conftest import saved

Architecture = Callable[..., NetworkPlan]

SAME = {"out_channels": 2, "padding": 1}
FROZEN = "frozen"
"""How the names of layers begin that are held still."""
FACTORS: dict[str, list[Any]] = {
    "constant": [],
    "activated": ["tanh"],
    "part": [{"chunk": 0}, {"pad_channels": 2}],
    "trained": [{"conv": SAME}],
    "frozen": [{"conv": {**SAME, "name": FROZEN}}],
    "trained scale": ["layer_scale"],
    "frozen scale": [{"layer_scale": {"name": FROZEN}}],
    "trained gate": ["global_avg_pool", {"linear": 2}, {"unflatten": [2, 1, 1]}],
    "frozen gate": [
        "global_avg_pool",
        {"linear": {"out_features": 2, "name": FROZEN}},
        {"unflatten": [2, 1, 1]},
    ],
    "frozen slope": [{"conv": SAME}, {"prelu": {"name": FROZEN}}],
}


def product(before: str, factors: list[str], join: str) -> NetworkPlan:
    """Factors behind a layer, and a head that learns."""
    branches = [FACTORS[factor] for factor in factors]
    block = {"branches": {"ways": branches, "join": join}}
    layers = [*FACTORS[before], block, "flatten", {"linear": 3}]
    model = Model.model_validate({"layers": layers})
    return network.plan(model, input=(2, 6, 5), classes=3)


def hold(plan: NetworkPlan) -> None:
    module = network.build(plan, seed=0)
    frozen = sorted(name for name in module.state_dict() if f"{FROZEN}." in name)
    freezing_of(module, frozen, unfreeze_at=None).begin_epoch(1)
    summary = gather(plan, batch_size=4, freeze=frozen)
    assert summary.kept_bytes == saved(module, plan, 4)


def test_a_factor_is_kept_only_for_a_factor_that_learns() -> None:
    plan = product("constant", ["trained", "constant"], "multiply")
    # the images, which convolution and product keep, and the product for the linear layer
    assert gather(plan, batch_size=1).kept_bytes == 2 * (2 * 6 * 5) * 4
    hold(plan)


@pytest.mark.parametrize("other", sorted(FACTORS))
@pytest.mark.parametrize("one", sorted(FACTORS))
def test_a_product_of_two_keeps_what_autograd_saves(one: str, other: str) -> None:
    hold(product("constant", [one, other], "multiply"))


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(
    before=st.sampled_from(["constant", "frozen", "trained"]),
    factors=st.lists(st.sampled_from(sorted(FACTORS)), min_size=2, max_size=5),
    join=st.sampled_from(["multiply", "add", "mean"]),
)
def test_any_factors_keep_what_autograd_saves(before: str, factors: list[str], join: str) -> None:
    hold(product(before, factors, join))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("frozen", [[], [FROZEN]])
def test_a_norm_by_root_mean_square_keeps_its_output_for_its_weight(
    affine: bool, frozen: list[str], architecture: Architecture
) -> None:
    if frozen and not affine:
        return
    norm = {"rms_norm": {"elementwise_affine": affine, "name": FROZEN}}
    plan = architecture({"conv": 4}, norm, {"conv": 2}, input=(2, 20, 22))
    module = network.build(plan, seed=0)
    freezing_of(module, frozen, unfreeze_at=None).begin_epoch(1)
    real = saved(module, plan, 8)
    assert gather(plan, batch_size=8, freeze=frozen).kept_bytes == pytest.approx(real, rel=0.01)
