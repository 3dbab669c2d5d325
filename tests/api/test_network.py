"""A network from Python answers as `cnnctl predict` does, and is a module like any other."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import cnnctl
from cnnctl import FaultError, Network, Run, build, load, train
from tests.conftest import TINY, invoke

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8), dtype=np.uint8)


def pictures(folder: Path) -> list[Path]:
    paths = [folder / f"größe {at}.png" for at in range(len(PIXELS))]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def typed(run: Path, *words: str | Path) -> list[dict[str, Any]]:
    """What `cnnctl predict` answers."""
    done = invoke("predict", run, *words, "--jsonl", "--device", "cpu")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def nameless(answers: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key != "input"} for each in answers]


def test_it_answers_bit_by_bit_as_the_command_does(
    network: Network, run: Run, tmp_path: Path, as_before: None
) -> None:
    paths = pictures(tmp_path)
    expected = typed(run.folder, *paths, "--top-k", "2")
    assert network.predict(paths, top_k=2) == expected
    assert network.predict([str(path) for path in paths], top_k=2) == expected
    assert len(expected[0]["probabilities"]) == 2
    opened = [Image.open(path) for path in paths]
    for given in (PIXELS, list(PIXELS), torch.from_numpy(PIXELS), opened, PIXELS.tolist()):
        assert nameless(network.predict(given, top_k=2)) == nameless(expected)
    assert nameless(network.predict(PIXELS[3], top_k=2)) == nameless(expected[3:4])
    assert cnnctl.predict(run, tmp_path, device="cpu") == typed(run.folder, tmp_path)
    assert cnnctl.predict(network, paths, top_k=2) == expected
    assert network.predict([]) == []


def test_views_are_averaged_as_by_the_command(
    network: Network, run: Run, tmp_path: Path, as_before: None
) -> None:
    paths = pictures(tmp_path)
    expected = typed(run.folder, *paths, "--views", "6")
    assert network.predict(paths, views=6) == expected != network.predict(paths)
    assert cnnctl.predict(run, paths, views=6, device="cpu") == expected
    with pytest.raises(FaultError, match="no sets of 5 views"):
        network.predict(paths, views=5)


def test_it_prepares_what_it_takes(network: Network, tmp_path: Path) -> None:
    paths = pictures(tmp_path)
    prepared = network.preprocess(PIXELS)
    assert prepared.shape == (5, *network.input_shape) == (5, 1, 8, 8)
    assert torch.equal(network.preprocess(paths), prepared)
    assert torch.equal(network.preprocess(paths[1]), prepared[1:2])
    mixed = [paths[0], PIXELS[1] / 255, Image.fromarray(PIXELS[2])]
    torch.testing.assert_close(network.preprocess(mixed), prepared[:3])
    with torch.no_grad():
        shares = network(prepared).softmax(dim=1)
    for own, answer in zip(shares, network.predict(PIXELS), strict=True):
        assert network.class_names[int(own.argmax())] == answer["class"]
        assert own.max().item() == pytest.approx(answer["probability"], abs=1e-6)
    for moved in (network.double(), network.to(torch.float64)):
        assert moved.preprocess(PIXELS).dtype == torch.float64
    assert network.to("meta").preprocess(PIXELS).device == network.device == torch.device("meta")


def test_what_cannot_be_read_is_named(network: Network, tmp_path: Path) -> None:
    paths = [*pictures(tmp_path)[:1], tmp_path / "größe 9.png"]
    for use in (network.predict, network.preprocess):
        with pytest.raises(FaultError, match=r"größe 9\.png: cannot be read") as caught:
            use([*paths, None, PIXELS[0]])
        assert [fault.message for fault in caught.value.faults][1:] == ["NoneType is no sample"]
        assert caught.value.exit_code == 3
    with pytest.raises(FaultError, match="top_k is 0"):
        network.predict(PIXELS, top_k=0)
    with pytest.raises(FaultError, match="no inputs given"):
        network.preprocess([])
    with pytest.raises(FaultError, match=r"an array of the shape \(64,\)"):
        network.preprocess(np.zeros(64))


def test_its_tensors_have_the_names_of_its_checkpoint(network: Network, run: Run) -> None:
    stored = load_file(run.checkpoint)
    own = network.state_dict()
    assert own.keys() == {name.removeprefix("model.") for name in stored if "model." in name}
    assert all(torch.equal(tensor, stored[f"model.{name}"]) for name, tensor in own.items())
    assert not any(part.training for part in network.modules())
    saved = io.BytesIO()
    torch.save(own, saved)
    saved.seek(0)
    fresh = build(TINY, seed=9)
    fresh.load_state_dict(torch.load(saved, weights_only=True))
    assert torch.equal(fresh(torch.ones(1, 1, 8, 8)), network(torch.ones(1, 1, 8, 8)))


def test_a_copy_is_independent_and_can_be_trained_further(network: Network) -> None:
    other = copy.deepcopy(network).train()
    inputs, wanted = other.preprocess(PIXELS), torch.arange(5)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.5)
    before = nn.functional.cross_entropy(other(inputs), wanted)
    torch.autograd.backward(before)
    optimizer.step()
    assert nn.functional.cross_entropy(other(inputs), wanted) < before
    name = "linear2.weight"
    assert not torch.equal(other.get_parameter(name), network.get_parameter(name))
    assert other.predict(PIXELS) != network.predict(PIXELS)
    other.linear2 = nn.Linear(16, 3)
    assert other(inputs).shape == (5, 3)
    assert network[:2](inputs).shape == (5, 16)
    assert isinstance(network[1], nn.Linear)


def test_predicting_leaves_modes_and_the_process_as_they_were(network: Network) -> None:
    network.train()
    network.get_submodule("linear1").eval()
    torch.set_float32_matmul_precision("medium")
    try:
        state = torch.get_rng_state()
        network.predict(PIXELS)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in network] == [True, False, True, True]


def test_it_says_what_it_is(network: Network) -> None:
    assert network.class_names == tuple("0123456789")
    assert network.config["train"]["epochs"] == 2
    shown = repr(network)
    assert "tiny: (1, 8, 8) -> digit: 10 classes\n  1,210 parameters, trained for 2 epochs" in shown
    assert "(linear2): Linear(in_features=16, out_features=10" in shown


def test_layers_may_have_the_names_of_its_methods() -> None:
    layers = [{"flatten": {"name": "predict"}}, {"linear": {"out_features": 10, "name": "config"}}]
    data = {"name": "digits", "normalize": {"mean": [0], "std": [1]}}
    network = build({"model": {"layers": layers}}, data=data)
    assert list(network.state_dict()) == ["config.weight", "config.bias"]
    assert len(network.predict(PIXELS)) == 5
    assert network.config["seed"] == 0


def test_every_head_answers(runs: Path, tmp_path: Path, as_before: None) -> None:
    rows = ["colour,length,kind,size"]
    for number in range(60):
        rows.append(f"{('red', 'blue')[number % 2]},{number % 7},{'ab'[number % 2]},{number % 7}")
    (tmp_path / "data.csv").write_text("\n".join(rows), encoding="utf-8")
    config = {
        "data": {
            "name": "table",
            "batch_size": 16,
            "path": str(tmp_path / "data.csv"),
            "targets": {"kind": "class", "size": "values"},
        },
        "model": {
            "layers": [{"linear": 8}, "relu"],
            "heads": {
                "kind": {"layers": [{"linear": "classes"}]},
                "size": {"layers": [{"linear": 1}], "loss": "mse"},
            },
        },
        "train": {"epochs": 1},
    }
    run = train(config, name="heads", runs=runs, progress=False)
    network = run.load(device="cpu")
    row = {"colour": "blue", "length": 3}
    (tmp_path / "new.csv").write_text("length,colour\n3,blue\n,green\n", encoding="utf-8")
    found = network.predict([row, {"colour": "green", "length": None}])
    assert nameless(found) == nameless(typed(run.folder, tmp_path / "new.csv"))
    assert set(found[0]["heads"]) == {"kind", "size"}
    assert network.targets["kind"].class_names == ("a", "b")
    assert network.targets["size"].kind == "values"
    assert network.class_names == ("kind.a", "kind.b", "size")
    by_head = network.by_head(network(network.preprocess(row)))
    assert {name: tuple(each.shape) for name, each in by_head.items()} == {
        "kind": (1, 2),
        "size": (1, 1),
    }
    with pytest.raises(FaultError, match="has no column length"):
        network.predict({"colour": "red"})
    measured = run.evaluate(device="cpu")
    assert (measured.metrics, set(measured.heads)) == ({}, {"kind", "size"})
    assert measured.to_json()["heads"].keys() == measured.heads.keys()


INLINE = """\
data:
  name: inline
  inputs: [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0.5], [0.5, 1]]
  targets: [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 1]]
model: {layers: [linear: 2]}
train: {epochs: 1}
"""


@pytest.mark.parametrize(
    ("kind", "options", "keys"),
    [
        ("values", {"loss": "mse"}, {"input", "values"}),
        (
            "labels",
            {"loss": "bce_with_logits", "data": {"classes": ["left", "right"]}},
            {"input", "labels", "probabilities"},
        ),
    ],
)
def test_labels_and_values_are_answered(
    kind: str,
    options: dict[str, Any],
    keys: set[str],
    runs: Path,
    tmp_path: Path,
    as_before: None,
) -> None:
    run = train(INLINE, name=kind, runs=runs, progress=False, **options)
    network, rows = run.load(device="cpu"), [[0, 0], [1, 1], [1, 0]]
    np.save(tmp_path / "x.npy", np.array(rows, np.float32))
    found = network.predict(rows)
    assert nameless(found) == nameless(typed(run.folder, tmp_path / "x.npy"))
    assert set(found[0]) == keys
    assert network.class_names == (("left", "right") if kind == "labels" else ())
    assert nameless(network.predict(rows[1])) == nameless(found[1:2])


def test_an_untrained_network_has_no_measured_normalisation() -> None:
    with pytest.raises(FaultError, match="statistics have not been measured"):
        build(TINY).preprocess(PIXELS)


@pytest.mark.parametrize(
    ("source", "place"),
    [("lenet", "lenet"), ("resnet18", "resnet18"), (TINY, "<string>")],
)
def test_a_configuration_has_no_weights_to_load(source: str, place: str) -> None:
    with pytest.raises(FaultError, match="has no weights") as caught:
        load(source)
    [fault] = caught.value.faults
    assert (fault.place, caught.value.exit_code) == (place, 4)
    assert "use cnnctl.build" in fault.hint


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(
        FaultError, match="runs/nowhere: does not exist\n    give a run folder"
    ) as caught:
        load("runs/nowhere")
    assert caught.value.exit_code == 4


def test_a_checkpoint_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="No such file"):
        load(tmp_path / "best.safetensors")
    with pytest.raises(FaultError, match="has no checkpoints"):
        load(tmp_path)
