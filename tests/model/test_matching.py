"""Weights of others fit, or are refused with the first difference and nothing copied."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision import models

from cnnctl.errors import ExitCode, FaultError
from cnnctl.model import zoo
from cnnctl.model.layers.torchvision_models import Torchvision, model_names
from cnnctl.model.matching import compared_names, fit_weights, match_weights, names_of_twin
from cnnctl.model.network import meta_network
from cnnctl.model.weights_file import read_weights
from cnnctl.model.zoo.twins import TABLE, digest_of
from tests.examples import published

Tensors = dict[str, Tensor]


def theirs(classes: int = 10) -> nn.Sequential:
    """A network that calls its layers 0, 1, …"""
    torch.manual_seed(classes)
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, classes)
    )
    made.train()(torch.randn(4, 3, 6, 6))  # so that the statistics are not those of the start
    return made


def twin(classes: int = 10) -> nn.Sequential:
    """The same network with names."""
    torch.manual_seed(99)
    names = ("conv1", "batch_norm1", "flatten1", "linear1")
    return nn.Sequential(OrderedDict(zip(names, theirs(classes).children(), strict=True)))


def same(one: Tensors, other: Tensors) -> bool:
    return all(map(torch.equal, one.values(), other.values()))


def test_the_same_names_are_copied_in_whatever_order() -> None:
    state = dict(reversed(theirs().state_dict().items()))
    network = theirs(5)
    network[3] = nn.Linear(64, 10)
    assert fit_weights(network, state) == ()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_a_twin_is_filled_by_order_and_shape() -> None:
    network, state = twin(), theirs().state_dict()
    network.get_parameter("conv1.weight").data.zero_()
    assert fit_weights(network, state) == ()
    assert same(dict(network.state_dict()), state)


@pytest.mark.parametrize("make", [theirs, twin])
def test_files_of_old_do_not_count_batches(make: Callable[[], nn.Sequential]) -> None:
    network, whole = make(), theirs().state_dict()
    assert fit_weights(network, {k: v for k, v in whole.items() if "num_batches" not in k}) == ()
    for tensor, wanted in zip(network.state_dict().values(), whole.values(), strict=True):
        assert torch.equal(tensor, wanted) or not wanted.ndim


def test_a_file_with_names_of_old_fits_by_order() -> None:
    # torchvision's files of its densenets are from before its layers were renamed
    with torch.device("meta"):
        state = models.densenet121().state_dict()
        ours = nn.Sequential(Torchvision(model="densenet121", outputs=10).build((3, 64, 64)))
    old = {
        re.sub(r"(norm|conv)([12])\.", r"\1.\2.", name): tensor
        for name, tensor in state.items()
        if "num_batches" not in name
    }
    assert old.keys() - state.keys()
    assert match_weights(ours, old).left_out == ("0.classifier.weight", "0.classifier.bias")


@pytest.mark.parametrize("make", [theirs, twin])
def test_a_classifier_of_other_classes_keeps_its_start_and_is_named(make: Any) -> None:
    network, state = make(3), theirs(10).state_dict()
    start = network[3].weight.clone()
    left_out = fit_weights(network, state)
    assert [name.partition(".")[2] for name in left_out] == ["weight", "bias"]
    assert torch.equal(network[3].weight, start)
    assert torch.equal(network[0].weight, state["0.weight"])


def test_weights_of_one_layer_fill_it_and_leave_its_head() -> None:
    network = nn.Sequential(
        OrderedDict(torchvision1=models.squeezenet1_1(num_classes=6), linear1=nn.Linear(6, 2))
    )
    state = models.squeezenet1_1(num_classes=9).state_dict()
    assert fit_weights(network, state) == (
        "torchvision1.classifier.1.weight",
        "torchvision1.classifier.1.bias",
        "linear1.weight",
        "linear1.bias",
    )
    filled = network.get_parameter("torchvision1.features.0.weight")
    assert torch.equal(filled, state["features.0.weight"])


def test_weights_that_a_layer_nearly_has_are_held_against_that_layer() -> None:
    with torch.device("meta"):
        state = models.resnet18().state_dict()
        layers = OrderedDict(conv1=nn.Conv2d(1, 3, 1), torchvision1=models.resnet34())
    with pytest.raises(FaultError, match=r"the network has layer1.2.conv1.weight \(64x64x3x3\)"):
        match_weights(nn.Sequential(layers), state)


def test_names_alone_decide_in_a_safetensors_file_which_keeps_no_order(tmp_path: Path) -> None:
    state = dict(models.squeezenet1_1(num_classes=4).state_dict())
    safetensors.torch.save_file(state, tmp_path / "net.safetensors")
    network = nn.Sequential(OrderedDict(torchvision1=models.squeezenet1_1(num_classes=4)))
    assert fit_weights(network, read_weights(tmp_path / "net.safetensors")) == ()
    assert same(dict(network.state_dict()), state)


def test_auxiliary_heads_are_left_out_where_the_network_has_none() -> None:
    with torch.device("meta"):
        state = models.googlenet(init_weights=False).state_dict()
        ours = nn.Sequential(Torchvision(model="googlenet", outputs=1000).build((3, 224, 224)))
    assert any(name.startswith("aux1.") for name in state)
    assert match_weights(ours, state).left_out == ()


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2", "swin_t", "vit_b_16"])
def test_every_state_dict_of_torchvision_fits_its_layer(name: str) -> None:
    with torch.device("meta"):
        state = models.get_model(name).state_dict()
        ours = nn.Sequential(Torchvision(model=name, outputs=10).build((3, 224, 224)))
    matched = match_weights(ours, state)
    assert len(matched.left_out) == 2
    assert len(matched.tensors) == len(state) - 2


def wider(state: Tensors) -> Tensors:
    return {**state, "0.weight": torch.zeros(8, 3, 3, 3)}


def longer(state: Tensors) -> Tensors:
    return {**state, "4.weight": torch.zeros(2, 2)}


def shorter(state: Tensors) -> Tensors:
    return dict(list(state.items())[:-1])


def swapped(state: Tensors) -> Tensors:
    """The same shapes in another order."""
    order = ["0.weight", "0.bias", "1.bias", "1.weight"]
    return {k: state[k] for k in order} | state


def narrower(state: Tensors) -> Tensors:
    """A classifier of other features, which is no matter of classes."""
    return {**state, "3.weight": torch.zeros(10, 32)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            wider,
            r"at tensor 1 the network has conv1.weight \(4x3x3x3\), but the weights have "
            r"0.weight \(8x3x3x3\)",
        ),
        (longer, r"the network has nothing more, but the weights have 4.weight \(2x2\)"),
        (shorter, r"the network has linear1.bias \(10\), but the weights have nothing more"),
        (swapped, r"at tensor 3 the network has batch_norm1.weight \(4\).*have 1.bias \(4\)"),
        (narrower, r"linear1.weight \(10x64\), but the weights have 3.weight \(10x32\)"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_first_difference_and_nothing_is_copied(
    change: Any, message: str
) -> None:
    network = twin()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(FaultError, match=message) as caught:
        fit_weights(network, change(theirs(10).state_dict()))
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    assert caught.value.faults[0].hint
    assert same(before, dict(network.state_dict()))


def test_a_deeper_network_is_not_taken_for_a_shallower_one() -> None:
    with torch.device("meta"):
        state, shallow = models.resnet34().state_dict(), models.resnet18()
    with pytest.raises(FaultError):
        match_weights(shallow, state)


def by_name(state: Tensors) -> Tensors:
    """As safetensors writes it: https://github.com/huggingface/safetensors, `save_file`."""
    return {name: state[name] for name in sorted(state)}


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg11_bn", "resnet18", "densenet121", "googlenet", "mobilenet_v2"]
)
def test_a_twin_of_torchvision_is_filled_from_a_file_without_order(name: str) -> None:
    with torch.device("meta"):
        heads = {"init_weights": False} if name == "googlenet" else {}
        state = models.get_model(name, num_classes=7, **heads).state_dict()
    network = meta_network(published(name).plan)
    wanted, found = match_weights(network, state), match_weights(network, by_name(state))
    assert len(wanted.left_out) == 2  # the classifier
    assert wanted.left_out == found.left_out
    assert wanted.tensors.keys() == found.tensors.keys()
    assert all(found.tensors[key] is tensor for key, tensor in wanted.tensors.items())


def test_weights_of_another_network_without_order_differ_where_the_networks_do() -> None:
    with torch.device("meta"):
        state = by_name(models.resnet34().state_dict())
    network = meta_network(published("resnet18").plan)
    difference = r"basic2.conv1.weight \(128x64x3x3\), but the weights have layer1.2.conv1.weight"
    with pytest.raises(FaultError, match=difference):
        match_weights(network, state)


@pytest.mark.long
def test_the_table_of_twins_is_what_torchvision_has() -> None:
    """If networks were added, the table is to be `expected`."""
    expected = dict[str, str]()
    for name in sorted(zoo.Network.kinds.keys() & model_names()):
        expected.setdefault(digest_of(compared_names(names_of_twin(name))), name)
    assert json.loads(TABLE.read_text(encoding="utf-8")) == expected


def test_a_refusal_builds_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(models, "get_model", refuse)
    state = {f"other.{name}": tensor for name, tensor in theirs().state_dict().items()}
    with pytest.raises(FaultError, match="at tensor 1 the network has "):
        match_weights(twin(), dict(reversed(state.items())))
