"""Squeeze and excitation: torchvision's values, and all that a summary says of it."""

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.ops import SqueezeExcitation

from cnnctl.advice import advise
from cnnctl.experiment import Experiment, check
from cnnctl.inspection import gather
from cnnctl.inspection.drawing import Frame, drawing_of
from cnnctl.model import network
from cnnctl.model.freezing import freezing_of
from cnnctl.model.graph import following_activation
from cnnctl.model.network import Model, NetworkPlan
from tests.inspection.conftest import saved

IMAGE = (8, 6, 5)


def plan_of(*layers: Any, input: tuple[int, ...] = IMAGE) -> NetworkPlan:
    return network.plan(Model.model_validate({"layers": list(layers)}), input=input, classes=3)


@pytest.mark.parametrize(
    ("options", "activations"),
    [
        ({}, (nn.ReLU, nn.Sigmoid)),
        ({"activation": "silu"}, (nn.SiLU, nn.Sigmoid)),
        ({"activation": "relu", "scale_activation": "hardsigmoid"}, (nn.ReLU, nn.Hardsigmoid)),
    ],
)
def test_it_computes_what_torchvisions_does(
    options: dict[str, Any], activations: tuple[type[nn.Module], type[nn.Module]]
) -> None:
    ours = network.build(plan_of({"squeeze_excite": {"reduction": 3, **options}}), seed=0)
    theirs = SqueezeExcitation(8, 2, *activations)
    weights = {name.split("scale.")[1]: weight for name, weight in ours.state_dict().items()}
    theirs.load_state_dict(weights)
    images = torch.randn(3, *IMAGE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(images), theirs(images), rtol=0, atol=0)


def test_a_signal_is_scaled_as_well() -> None:
    plan = plan_of({"squeeze_excite": 4}, input=(8, 11))
    assert plan.output == (8, 11)
    values = torch.randn(2, 8, 11)
    built = network.build(plan, seed=0)
    assert built.get_submodule("squeeze_excite1.scale")(values).shape == (2, 8, 1)


def test_its_facts_worked_by_hand() -> None:
    """Two matrices of 8 x 2; the field is that of the image, which its factors leave."""
    plan = plan_of({"conv": {"out_channels": 8, "padding": 1}}, {"squeeze_excite": 4})
    row = gather(plan, batch_size=1).rows[1]
    assert (row.multiply_adds, row.parameters, row.output) == (2 * 8 * 2, 2 * 8 * 2 + 10, IMAGE)
    assert row.field is not None
    assert (row.field.size, row.field.stride) == ((3, 3), (1, 1))


@pytest.mark.parametrize("activation", ["relu", "silu", {"leaky_relu": 0.2}])
@pytest.mark.parametrize("scale_activation", ["sigmoid", "hardsigmoid", "softsign"])
@pytest.mark.parametrize("frozen", [[], ["conv1.*"], ["squeeze_excite1.*"]])
def test_it_keeps_what_autograd_saves(
    activation: Any, scale_activation: str, frozen: list[str]
) -> None:
    block = {"reduction": 4, "activation": activation, "scale_activation": scale_activation}
    plan = plan_of({"conv": 8}, {"squeeze_excite": block}, "relu", "flatten", {"linear": 3})
    module = network.build(plan, seed=0)
    freezing_of(module, frozen, unfreeze_at=None).begin_epoch(1)
    summary = gather(plan, batch_size=4, freeze=frozen)
    assert summary.kept_bytes == saved(module, plan, 4)


def test_its_weights_start_for_the_activations_in_it() -> None:
    plan = plan_of({"squeeze_excite": 4}, "tanh")
    behind = {
        planned.name.rpartition(".")[2]: following_activation(rest)
        for planned, rest in plan.graph.with_followers()
    }
    assert (behind["fc1"], behind["fc2"]) == ("relu", "sigmoid")


def test_it_is_drawn_as_a_product() -> None:
    plan = plan_of("relu", {"squeeze_excite": 4})
    drawing = drawing_of(plan)
    frame = drawing.items[-1]
    assert isinstance(frame, Frame)
    assert [item.title for item in frame.items] == [
        "avgpool", "fc1", "relu1", "fc2", "sigmoid1", "multiply",
    ]  # fmt: skip
    ends = [source for source, target in drawing.arrows if target == "n_squeeze_excite1__join"]
    assert ends == ["n_relu1", "n_squeeze_excite1__scale__scale_activation__sigmoid1"]


def test_many_of_them_get_no_advice() -> None:
    conv = {"conv": {"out_channels": 8, "padding": 1, "bias": False}}
    layers = [*[conv, "batch_norm", {"squeeze_excite": 4}] * 5, "flatten", {"linear": "classes"}]
    sections = {"loss": "cross_entropy", "optimizer": "adam"}
    experiment = Experiment.model_validate({"model": {"layers": layers}, **sections})
    plan, _ = check(experiment)
    assert advise(experiment, plan) == []
