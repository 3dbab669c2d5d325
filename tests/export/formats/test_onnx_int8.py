"""`.onnx` files in 8-bit integers are judged by the accuracy that they lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from cnnctl.errors import FaultError
from cnnctl.export import fresh
from cnnctl.export.exporting import export
from cnnctl.export.format import Wishes
from cnnctl.export.original import open_original
from tests.conftest import TINY, invoke
from tests.export.onnx_files import INT8, ONNX, ROWS, TABLE, exported, session_of
from tests.export.running import opened


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
def test_a_table_is_quantized_behind_its_columns(tmp_path: Path) -> None:
    (tmp_path / "pets.csv").write_text(ROWS)
    (tmp_path / "x.yaml").write_text(TABLE)
    original = open_original(tmp_path / "x.yaml")
    wishes = Wishes(quantize="int8", tolerance=100)
    found = export(original, tmp_path / "x.onnx", ONNX, wishes, run=fresh.run)
    assert found.to_json()["largest_difference"] < 0.5  # random rows exceed the ranges of real ones
    model = onnx.load(tmp_path / "x.onnx")
    assert [each.name for each in model.graph.input] == ["weight", "born", "colour"]
    assert {each.domain for each in model.opset_import} == {"", "ai.onnx.ml"}
