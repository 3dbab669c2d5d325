"""`cnnctl.build`: untrained networks from text, mappings, files and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import cnnctl
from cnnctl import FaultError, Run, build
from cnnctl.api.sources import words_of
from tests.conftest import TINY

MLP: dict[str, Any] = {
    "data": {"name": "digits", "batch_size": 128},
    "model": {"layers": ["flatten", {"linear": 16}, "relu", {"linear": "classes"}]},
}


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(map(torch.equal, mine.values(), theirs.values()))


def test_every_form_of_a_source_builds_the_same_network(tmp_path: Path) -> None:
    (tmp_path / "größe.yaml").write_text(TINY, encoding="utf-8")
    built = build(TINY)
    assert built.training
    assert (built.epoch, built.input_shape, built.class_names[3]) == (0, (1, 8, 8), "3")
    for source in (MLP, tmp_path / "größe.yaml", str(tmp_path / "größe.yaml")):
        assert same(build(source), built)
    assert same(build("model: {layers: [flatten, linear: 16, relu, linear: classes]}"), built)


def test_its_seed_decides_the_weights_and_nothing_else_does() -> None:
    state = torch.get_rng_state()
    one, two = build(TINY, seed=1), build(TINY, overrides={"seed": 1})
    assert torch.equal(torch.get_rng_state(), state)
    assert same(one, two)
    assert not same(one, build(TINY, seed=2))


def test_a_zoo_network_has_its_own_shape_and_options() -> None:
    network = build("lenet5", data={"name": "digits", "size": [32, 32]})
    assert (network.input_shape, len(network.class_names)) == ((1, 32, 32), 10)
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


def test_options_override_in_every_form() -> None:
    dotted: dict[str, Any] = {"model.layers.1.linear": 8}
    for network in (
        build(TINY, model={"layers": {1: {"linear": 8}}}),
        build(TINY, overrides=dotted),
        build(TINY, overrides={"model": {"layers": {"1": {"linear": 8}}}}),
        build(TINY, **dotted),
        build(MLP, model={"layers": ["flatten", {"linear": 8}, {"linear": "classes"}]}),
    ):
        assert network.get_parameter("linear1.weight").shape == (8, 64)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": {"epochs": 3, "device": "cpu"}}, ["train.epochs=3", "train.device=cpu"]),
        ({"optimizer": {"name": "adam", "lr": 0.1}}, ["optimizer={name: adam, lr: 0.1}"]),
        ({"optimizer.lr": 1e-5}, ["optimizer.lr=1.0e-05"]),
        ({"model.weights": None, "name": "no"}, ["model.weights=null", "name='no'"]),
        (
            {"data": {"size": (32, 32), "path": Path("a b")}},
            ["data.size=[32, 32]", "data.path=a b"],
        ),
        ({"data": {"columns": {"a.b": "number"}}}, ["data.columns={a.b: number}"]),
        ({"name": "010"}, ["name='010'"]),
        ({"train": {}}, []),
        (None, []),
    ],
    ids=str,
)
def test_options_become_overrides_of_the_command_line(
    options: dict[str, Any] | None, words: list[str]
) -> None:
    assert words_of(options) == words


def test_weights_to_start_from_are_taken(tmp_path: Path) -> None:
    weights = {name: torch.full_like(each, 0.5) for name, each in build(TINY).state_dict().items()}
    save_file(weights, tmp_path / "start.safetensors")
    network = build(TINY, overrides={"model.weights": str(tmp_path / "start.safetensors")})
    assert all((each == 0.5).all() for each in network.parameters())


@pytest.mark.parametrize(
    ("source", "place", "message", "hint"),
    [
        (TINY.replace("relu", "rleu"), "<string>:6:7", "no layer is named rleu", "mean relu"),
        ("model:\n\tlayers: []\n", "<string>:2:1", "is not YAML", "indent with spaces"),
        ("a: [", "<string>:1:5", "is not YAML", "close the bracket"),
        ({"model": {"layers": ["rleu"]}}, "<mapping>", "no layer is named rleu", "mean relu"),
        ({"modle": {}}, "<mapping>", "no such option", "mean model"),
        ({"model": {"layers": [object()]}}, "", "object is no value of YAML", "use numbers"),
        ("resnet81", "", "no zoo network or shipped experiment", "mean resnet18"),
        ("lenett.yaml", "lenett.yaml", "no such file", ""),
        (Path("nowhere") / "größe.yaml", "nowhere/größe.yaml", "no such file", "check the path"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_a_fault_has_its_place_and_cure(source: Any, place: str, message: str, hint: str) -> None:
    with pytest.raises(FaultError) as caught:
        build(source)
    first = caught.value.faults[0]
    assert first.place == place
    assert message in first.message
    assert hint in first.hint
    assert caught.value.exit_code == 2


def test_a_bad_override_is_named_as_it_was_given() -> None:
    with pytest.raises(FaultError, match=r"train\.epohcs=3: train\.epohcs: no such option"):
        build(TINY, train={"epohcs": 3})
    with pytest.raises(FaultError, match="gpu is not a device"):
        build(TINY, device="gpu")


def test_a_run_is_no_configuration(run: Run) -> None:
    with pytest.raises(FaultError, match="is a run folder") as caught:
        build(run.folder)
    assert caught.value.faults[0].hint == "use cnnctl.load"
    with pytest.raises(FaultError, match="int is no source"):
        cnnctl.summary(3)  # type: ignore[arg-type]
