"""`.onnx`: a graph for ONNX Runtime and others, in float32 or 8-bit integers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnctl.data.sources.table import TableSet
from cnnctl.export.checking import compared, output_names
from cnnctl.export.facts import facts_of
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.layers import cannot_hold
from cnnctl.export.onnx.checking import compared_rows, judged
from cnnctl.export.onnx.columns import column_facts, column_inputs, unknown_columns
from cnnctl.export.onnx.comparison import calibration, compare, measured_split
from cnnctl.export.onnx.graph import UnsupportedError, bytes_of, graph_of, name_ends, sign
from cnnctl.export.onnx.quantization import quantized
from cnnctl.export.onnx.tables import behind_columns
from cnnctl.export.original import Original
from cnnctl.export.whole import UNKNOWN, example, whole

LARGEST = 2**31
"""Bytes that a protocol buffer, and so a single file, can have."""


class Onnx(Format):
    """The whole network for any number of samples, in one file."""

    name = "onnx"
    suffix = ".onnx"
    about = "Graph with preprocessing, for ONNX Runtime and others; --quantize int8 makes it small."
    options = frozenset({"raw", "quantize"})
    packages = ("onnx", "onnxscript", "onnxruntime")

    def misfit(self, original: Original, wishes: Wishes) -> str:
        size = sum(tensor.nbytes for tensor in original.network.state_dict().values())
        if size >= LARGEST:
            return f"its weights are {size / 1e9:.1f} GB, and the limit of a file is 2 GB"
        if wishes.raw:
            return ""
        if original.preprocessing is None:
            return UNKNOWN
        data = original.experiment.data
        columns = data.columns if isinstance(data, TableSet) else {}
        if odd := unknown_columns(columns):
            name, kind = next(iter(odd.items()))
            return f"column {name} is of kind {kind}, which a graph cannot encode"
        inputs = {each.name for each in column_inputs(columns)} or {input_name(original)}
        clashing = inputs.intersection(output_names(original, raw=False))
        return f"input and output would both be named {min(clashing)}" if clashing else ""

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        if wishes.quantize:
            measured_split(original)  # before any work
        model = self._graph(original, wishes)
        facts = facts_of(original, raw=wishes.raw)
        data = original.experiment.data
        if isinstance(data, TableSet) and not wishes.raw:
            model = behind_columns(model, data.columns)
            facts["input"] = column_facts(data.columns)
        sign(model, facts)
        return {file.name: bytes_of(model)}

    def _graph(self, original: Original, wishes: Wishes) -> Any:
        """The onnx.ModelProto for samples as the dataset stores them, or preprocessed ones."""
        model = self._float32(original, raw=wishes.raw)
        if not wishes.quantize:
            return model
        return quantized(model, calibration(original, raw=wishes.raw))

    def _float32(self, original: Original, *, raw: bool) -> Any:
        try:
            model = graph_of(whole(original, raw=raw), example(original, raw=raw))
        except UnsupportedError as error:
            raise cannot_hold(
                self.suffix, error, original, graph_of, hint="use .pt2 or .py"
            ) from error
        name = "input" if raw else input_name(original)
        name_ends(model, inputs=[name], outputs=output_names(original, raw=raw))
        return model

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Run the graph; of several inputs, each has a batch NAME/NUMBER, texts as bytes."""
        import os

        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it is sent from the import on
        import onnxruntime
        import torch

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        inputs = session.get_inputs()
        names = [output.name for output in session.get_outputs()]
        feeds: dict[str, dict[str, Any]] = {}
        for key, batch in batches.items():
            name, _, number = key.partition("/")
            taken, array = inputs[int(number or 0)], batch.numpy()
            if taken.type == "tensor(string)":
                texts = [bytes(row).rstrip(b"\0").decode() for row in array.tolist()]
                array = array[:, 0].astype(object)
                array[:] = texts
            feeds.setdefault(name, {})[taken.name] = array
        return {
            name: dict(zip(names, map(torch.from_numpy, session.run(names, feed)), strict=True))
            for name, feed in feeds.items()
        }

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        data = original.experiment.data
        if isinstance(data, TableSet) and not wishes.raw:
            checked = compared_rows(self, original, data, wishes, file, run)
        else:
            checked = compared(self, original, wishes, file, run, raw=wishes.raw)
        return self._judged(original, wishes, checked) if wishes.quantize else checked

    def _judged(self, original: Original, wishes: Wishes, ran: Checked) -> Checked:
        before = bytes_of(self._float32(original, raw=wishes.raw))
        after = bytes_of(self._graph(original, wishes))
        comparison = compare(original, before, after, raw=wishes.raw)
        return judged(comparison, ran, most=wishes.tolerance)


def input_name(original: Original) -> str:
    """The name of the input of a graph that takes samples as the dataset stores them."""
    if original.experiment.data.has_pixels:
        return "pixels"
    return "signals" if len(original.shape) == 2 else "features"
