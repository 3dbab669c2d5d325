"""`.onnx` files answer with ONNX Runtime alone, as plain PyTorch does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from math import cos, pi, sin
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from cnnctl.errors import FaultError
from cnnctl.export import fresh
from cnnctl.export.exporting import export
from cnnctl.export.format import Wishes
from cnnctl.export.onnx.graph import UnsupportedError, bytes_of, graph_of
from cnnctl.export.original import open_original
from cnnctl.model import network
from cnnctl.model.network import Model
from cnnctl.shipped import experiments
from tests.conftest import TINY, command
from tests.examples import BLOCKS, INPUTS, LEAVES, SHALLOWEST, example
from tests.export.onnx_files import (
    ONNX,
    PLAIN,
    ROWS,
    TABLE,
    exported,
    metadata,
    session_of,
)
from tests.export.running import checked, opened, reduced

ROOT = Path(__file__).parents[3]
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


@pytest.mark.long
def test_cells_go_in_where_a_table_was_learned(tmp_path: Path) -> None:
    (tmp_path / "pets.csv").write_text(ROWS)
    (tmp_path / "x.yaml").write_text(TABLE)
    original = open_original(tmp_path / "x.yaml")
    assert checked(original, "onnx", tmp_path).is_within
    content = (tmp_path / "x.onnx").read_bytes()
    assert str(ROOT).encode() not in content  # no paths of the exporter
    onnx.checker.check_model(tmp_path / "x.onnx", full_check=True)
    operations = {
        (each.domain, each.version) for each in onnx.load(tmp_path / "x.onnx").opset_import
    }
    assert operations == {("", 20), ("ai.onnx.ml", 3)}
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


@pytest.mark.long
@pytest.mark.parametrize("name", SHALLOWEST)
def test_the_networks_of_the_zoo_are_the_same_without_cnnctl(name: str, tmp_path: Path) -> None:
    original, found = exported(name, tmp_path, Wishes(raw=True), reduced(name))
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
def test_an_operation_that_onnx_lacks_is_named() -> None:
    class Values(nn.Module):
        def forward(self, matrices: Tensor) -> Tensor:
            values: Tensor = torch.linalg.svdvals(matrices)
            return values

    with pytest.raises(UnsupportedError, match=r"^ONNX has no aten\._linalg_svd$"):
        graph_of(Values(), torch.randn(2, 3, 3))


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
