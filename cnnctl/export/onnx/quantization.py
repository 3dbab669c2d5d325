"""Graphs that compute in 8-bit integers (int8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor

from cnnctl.export.onnx.graph import bytes_of
from cnnctl.export.onnx.quiet import quiet

WITH_WEIGHTS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
BETWEEN = frozenset(
    (
        *("Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "MaxPool"),
        *("Pad", "Relu", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose"),
        "Unsqueeze",
    )
)
"""Operations that stay in integers between those with weights, and lose little. Normalisations,
gates and smooth activations stay in float32."""


def quantized(model: Any, batches: Iterable[Tensor]) -> Any:
    """The same graph (onnx.ModelProto) in 8-bit integers, for inputs like these batches.

    They give the range of every activation. Weights have a scale for each output channel;
    preprocessing and answers stay in float32.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with quiet(), TemporaryDirectory(prefix="cnnctl-") as folder:
        before, fused, after = (Path(folder, f"{name}.onnx") for name in ("a", "b", "c"))
        before.write_bytes(bytes_of(model))
        quant_pre_process(before, fused, skip_symbolic_shape=True)
        quantization.quantize_static(
            fused,
            after,
            _Reader(model.graph.input[0].name, batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # with signed activations, networks are slower than in float32 on x86
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=sorted(WITH_WEIGHTS | BETWEEN),
            nodes_to_exclude=_outer_nodes(onnx.load(fused).graph),
        )
        return onnx.load(after)


class _Reader:
    """Batches, in the form in which the quantizer asks for them."""

    def __init__(self, name: str, batches: Iterable[Tensor]) -> None:
        self.name = name
        self.batches = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch as the input of a graph; None after the last."""
        batch = next(self.batches, None)
        return None if batch is None else {self.name: batch.numpy()}


def _outer_nodes(graph: Any) -> list[str]:
    """The nodes before the first one with weights and after the last one on every path."""
    inner = _reached(graph, forward=True) & _reached(graph, forward=False)
    return [node.name for node in graph.node if node.name not in inner]


def _reached(graph: Any, *, forward: bool) -> set[str]:
    """The nodes with weights, and those that they lead to, or that lead to them."""
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input if forward else node.output:
            users.setdefault(name, []).append(node)
    waiting = deque(node for node in graph.node if node.op_type in WITH_WEIGHTS)
    found = {node.name for node in waiting}
    while waiting:
        node = waiting.popleft()
        for name in node.output if forward else node.input:
            for user in users.get(name, []):
                if user.name not in found:
                    found.add(user.name)
                    waiting.append(user)
    return found
