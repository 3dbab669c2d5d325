"""`.onnx` files answer with ONNX Runtime alone, as plain PyTorch does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from cnnctl.export.formats import FORMATS
from cnnctl.export.original import open_original
from tests.export.running import checked, opened

ONNX = FORMATS["onnx"]
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
    colour: {name: category, values: [black, white]}
model: {layers: [{linear: classes}]}
"""
ROWS = "weight,colour,animal\n" + "3,black,cat\n14,white,dog\n,grey,cat\n20,black,dog\n" * 8


def session_of(file: Path) -> Any:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def metadata(session: Any) -> dict[str, Any]:
    texts = session.get_modelmeta().custom_metadata_map
    return {name: json.loads(text) for name, text in texts.items()}


def test_pixels_go_in_and_named_probabilities_come_out(tmp_path: Path) -> None:
    original = opened(tmp_path, CNN)
    assert checked(original, "onnx", tmp_path).is_within
    content = (tmp_path / "x.onnx").read_bytes()
    assert str(Path(__file__).parents[3]).encode() not in content  # no paths of this machine
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
    session = session_of(tmp_path / "x.onnx")
    weights = np.array([3, np.nan, 30])
    colours = np.array(["white", "black", "a colour of no row"])
    [found] = session.run(None, {"weight": weights, "colour": colours})
    # the number standardised, whether it is missing, black, white, another colour
    features = [[-1.75, 0, 0, 1, 0], [0, 1, 1, 0, 0], [5, 0, 0, 0, 1]]
    with torch.no_grad():
        expected = original.network(torch.tensor(features, dtype=torch.float32)).softmax(1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    columns = metadata(session)["input"]["columns"]
    assert columns[1] == {"name": "colour", "kind": "category", "values": ["black", "white"]}
