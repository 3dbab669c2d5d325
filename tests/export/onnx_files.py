"""`.onnx` files of small networks, and what reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnctl.export import fresh
from cnnctl.export.exporting import Exported, export
from cnnctl.export.format import Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.onnx.quiet import onnx_runtime
from cnnctl.export.original import Original, open_original

ONNX = FORMATS["onnx"]
PLAIN, INT8 = Wishes(), Wishes(quantize="int8")
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


def exported(
    source: str | Path, folder: Path, wishes: Wishes = PLAIN, overrides: Sequence[str] = ()
) -> tuple[Original, Exported]:
    """An export, run in a process that cannot import cnnctl."""
    original = open_original(Path(source), overrides, data_root=folder)
    assert not ONNX.misfit(original, wishes)
    return original, export(original, folder / "x.onnx", ONNX, wishes, run=fresh.run)
