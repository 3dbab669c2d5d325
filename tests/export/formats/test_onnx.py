"""`.onnx` files answer with ONNX Runtime alone, as plain PyTorch does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.export import fresh
from cnnctl.export.exporting import Exported, export
from cnnctl.export.format import Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.onnx.graph import bytes_of, graph_of
from cnnctl.export.onnx.quiet import onnx_runtime
from cnnctl.export.original import Original, open_original
from cnnctl.model import network
from cnnctl.model.network import Model
from cnnctl.model.zoo.network import Network
from cnnctl.shipped import experiments
from tests.conftest import TINY, command, invoke
from tests.examples import BLOCKS, INPUTS, LEAVES, example
from tests.export.running import checked, opened

ONNX = FORMATS["onnx"]
ROOT = Path(__file__).parents[3]
PLAIN, INT8 = Wishes(), Wishes(quantize="int8")
VALUES = """\
data: {name: diabetes, batch_size: 64}
model: {layers: [{linear: 4}, tanh, {linear: 1}]}
loss: mse
"""
CNN = """\
data: {name: digits, normalize: {mean: [0.3], std: [0.4]}}
model:
  layers:
    - conv: 4
    - batch_norm
    - relu
    - adaptive_max_pool: 4
    - flatten
    - linear: classes
"""
TABLE = """\
data:
  name: table
  path: pets.csv
  batch_size: all
  target: animal
  columns:
    weight: {name: number, mean: 10, std: 4}
    born: {name: date, mean: 18000, std: 1000}
    colour: {name: category, values: [black, white]}
model: {layers: [{linear: classes}]}
"""
ROWS = "weight,born,colour,animal\n" + (
    "3,2021-05-01,black,cat\n14,2020-02-03,white,dog\n,2019-12-31,grey,cat\n20,,black,dog\n" * 8
)


def session_of(file: Path) -> Any:
    return onnx_runtime().InferenceSession(file, providers=["CPUExecutionProvider"])


def metadata(session: Any) -> dict[str, Any]:
    texts = session.get_modelmeta().custom_metadata_map
    return {name: json.loads(text) for name, text in texts.items()}


@pytest.mark.long
def test_pixels_go_in_and_named_probabilities_come_out(tmp_path: Path) -> None:
    original = opened(tmp_path, CNN)
    assert checked(original, "onnx", tmp_path).is_within
    session = session_of(tmp_path / "x.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 1, 8, 8), dtype=np.uint8)
    [found] = session.run(["probabilities"], {"pixels": pixels})
    with torch.no_grad():
        expected = original.network((torch.from_numpy(pixels) / 255 - 0.3) / 0.4).softmax(1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    [output] = metadata(session)["outputs"]
    assert output["name"] == "probabilities"
    assert output["classes"] == [*"0123456789"]
    assert metadata(session)["experiment"]["model"]["layers"][3] == {
        "adaptive_max_pool": {"output_size": 4}
    }


def test_cells_go_in_where_a_table_was_learned(tmp_path: Path) -> None:
    (tmp_path / "pets.csv").write_text(ROWS)
    (tmp_path / "x.yaml").write_text(TABLE)
    original = open_original(tmp_path / "x.yaml")
    assert checked(original, "onnx", tmp_path).is_within
    content = (tmp_path / "x.onnx").read_bytes()
    assert str(ROOT).encode() not in content  # no paths of the exporter
    session = session_of(tmp_path / "x.onnx")
    weights = np.array([3, np.nan, 30])
    born = np.array([18262, np.nan, 18383.5])  # Wednesday, 1 January 2020; Friday, 1 May, at noon
    colours = np.array(["white", "black", "a colour of no row"])
    [found] = session.run(None, {"weight": weights, "born": born, "colour": colours})
    numbers = [[-1.75, 0], [0, 1], [5, 0]]  # standardised; whether it is missing
    may, wednesday, friday = 2 * pi * 4 / 12, 2 * pi * 2 / 7, 2 * pi * 4 / 7
    dates = [  # standardised; month and weekday on circles; whether it is missing
        [0.262, 0, 1, sin(wednesday), cos(wednesday), 0],
        [0, 0, 0, 0, 0, 1],
        [0.3835, sin(may), cos(may), sin(friday), cos(friday), 0],
    ]
    values = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]  # black; white; another
    features = torch.cat([torch.tensor(part).float() for part in (numbers, dates, values)], dim=1)
    with torch.no_grad():
        expected = original.network(features).softmax(1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    columns = metadata(session)["input"]["columns"]
    assert columns[2] == {"name": "colour", "kind": "category", "values": ["black", "white"]}


def exported(source: str | Path, folder: Path, wishes: Wishes = PLAIN) -> tuple[Original, Exported]:
    """An export, run in a process that cannot import cnnctl."""
    original = open_original(Path(source), data_root=folder)
    assert not ONNX.misfit(original, wishes)
    return original, export(original, folder / "x.onnx", ONNX, wishes, run=fresh.run)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(Network.kinds))
def test_every_network_of_the_zoo_is_the_same_without_cnnctl(name: str, tmp_path: Path) -> None:
    original, found = exported(name, tmp_path, Wishes(raw=True))
    assert found.checked.difference <= 1e-4
    inputs = torch.randn(2, *original.shape)
    [answers] = session_of(tmp_path / "x.onnx").run(None, {"input": inputs.numpy()})
    with torch.no_grad():
        expected = original.network(inputs).numpy()
    np.testing.assert_allclose(answers, expected, atol=1e-4 * max(1, np.abs(expected).max()))


@pytest.mark.long
@pytest.mark.parametrize("name", experiments())
def test_every_shipped_experiment_is_the_same_without_cnnctl(name: str, tmp_path: Path) -> None:
    original = open_original(Path(name), data_root=tmp_path)
    wishes = Wishes(raw=original.preprocessing is None)
    found = export(original, tmp_path / "x.onnx", ONNX, wishes, run=fresh.run)
    assert found.checked.difference <= 1e-4
    metadata_of_outputs = metadata(session_of(tmp_path / "x.onnx"))["outputs"]
    assert len(metadata_of_outputs) == len(original.tasks)


@pytest.mark.long
@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS])
def test_every_layer_is_the_same(kind: str, tmp_path: Path) -> None:
    agreed = 0
    for shape in INPUTS:
        try:
            plan = network.plan(
                Model.model_validate({"layers": [example(kind)]}), input=shape, classes=3
            )
        except FaultError:
            continue
        module = network.build(plan, seed=0).eval()
        (tmp_path / "x.onnx").write_bytes(bytes_of(graph_of(module, torch.randn(2, *shape))))
        session = session_of(tmp_path / "x.onnx")
        for size in (1, 5):
            inputs = torch.randn(size, *shape)
            [found] = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
            with torch.no_grad():
                np.testing.assert_allclose(found, module(inputs).numpy(), atol=1e-5)
        agreed += 1
    assert agreed


@pytest.mark.long
@pytest.mark.parametrize(
    ("document", "text", "name", "before"),
    [
        (
            "README.md",
            CNN,
            "lenet.onnx",
            "import numpy as np; pixels = np.zeros((2, 1, 8, 8), 'u1')",
        ),
        ("docs/onnx.md", TABLE, "pets.onnx", ""),
    ],
)
def test_the_examples_of_the_documents_run(
    document: str, text: str, name: str, before: str, tmp_path: Path
) -> None:
    (tmp_path / "pets.csv").write_text(ROWS)
    (tmp_path / "x.yaml").write_text(text)
    original = open_original(tmp_path / "x.yaml")
    export(original, tmp_path / name, ONNX, PLAIN, run=fresh.run)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
    [example] = [block for block in blocks if "onnxruntime" in block]
    lines = [before, example, "print(probabilities.shape)"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    classes = {"lenet.onnx": "(2, 10)", "pets.onnx": "(1, 2)"}
    assert done.stdout.splitlines()[-1] == classes[name]


@pytest.mark.long
def test_heads_have_an_output_each(tmp_path: Path) -> None:
    original, _ = exported("digit-and-parity", tmp_path)
    session = session_of(tmp_path / "x.onnx")
    pixels = original.random(4, raw=False)
    names = [task.name for task in original.tasks]
    found = dict(zip(names, session.run(names, {"pixels": pixels.numpy()}), strict=True))
    outputs = original.network(original.inputs(pixels))
    assert len(names) == 2
    for task in original.tasks:
        expected = outputs[:, task.outputs].softmax(1)
        np.testing.assert_allclose(found[task.name], expected.numpy(), atol=1e-6)
    assert [each["name"] for each in metadata(session)["outputs"]] == names


@pytest.mark.long
def test_values_are_in_their_own_units(tmp_path: Path) -> None:
    original = opened(tmp_path, VALUES)
    assert checked(original, "onnx", tmp_path).is_within
    features = original.random(6, raw=False)
    session = session_of(tmp_path / "x.onnx")
    [found] = session.run(["values"], {"features": features.numpy()})
    normalize = original.trained.preprocessing.normalize_targets["target"]
    outputs = original.network(original.inputs(features))
    expected = outputs * normalize.std[0] + normalize.mean[0]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)
    assert normalize.mean[0] == pytest.approx(152, abs=5)  # scikit-learn's progressions


@pytest.mark.long
def test_int8_is_judged_by_the_accuracy_it_loses(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TINY)
    run_of = invoke("train", tmp_path / "x.yaml", "--runs", tmp_path / "runs")
    assert run_of.exit_code == 0, run_of.output
    original, found = exported(tmp_path / "runs" / "x", tmp_path, INT8)
    figures = found.to_json()
    assert figures["split"] == "test"
    assert figures["difference"] <= 1
    lost = figures["before"]["quality"][""] - figures["after"]["quality"][""]
    assert figures["difference"] == pytest.approx(100 * lost)
    assert figures["after"]["seconds"] > 0 < figures["before"]["seconds"]
    split = original.split("test")
    session = session_of(tmp_path / "x.onnx")
    pixels = split.samples.rows.take(split.positions).numpy()
    [shares] = session.run(None, {"pixels": pixels})
    right = (shares.argmax(1) == split.targets.numpy()).mean()
    assert right == pytest.approx(figures["after"]["quality"][""], abs=0.011)
    weights = onnx.load(tmp_path / "x.onnx").graph.initializer
    is_int8 = [each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 2 for each in weights]
    assert sum(is_int8) == 2
    (tmp_path / "x.onnx").unlink()
    strict = Wishes(quantize="int8", tolerance=-100)
    with pytest.raises(FaultError, match=r"loss .*, more than -1e.02 .*accuracy .*% in int8"):
        export(original, tmp_path / "x.onnx", ONNX, strict, run=fresh.run)
    assert not (tmp_path / "x.onnx").exists()


def test_int8_needs_data_that_was_not_trained_on(tmp_path: Path) -> None:
    original = opened(tmp_path, TINY)
    unread = replace(original, samples=None, unread="digits not found")
    with pytest.raises(FaultError, match=r"int8 needs the data .*: digits not found"):
        ONNX.contents(unread, INT8, tmp_path / "x.onnx")
    trained_on = open_original(Path("textbook-3-4-2"))
    with pytest.raises(FaultError, match="measured on the test split, but there is none"):
        ONNX.contents(trained_on, INT8, tmp_path / "x.onnx")


@pytest.mark.long
def test_nothing_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.yaml").write_text(TINY)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    words = command("export", tmp_path / "x.yaml", tmp_path / "x.onnx", "--quantize", "int8")
    limit = ["--tolerance", "100"]
    done = subprocess.run([*words, *limit], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "in float32" in done.stdout
    assert list(scratch.iterdir()) == []
