"""Graphs that take the columns of a table, categories as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cnnctl.data.tables.columns import Column
from cnnctl.export.onnx.columns import ColumnFeatures, ColumnInput, column_inputs
from cnnctl.export.onnx.graph import free_name, graph_of, name_ends

ML = "ai.onnx.ml"
ML_OPSET = 3
"""With the LabelEncoder from texts to int64, which version 2 introduced."""


def behind_columns(model: Any, columns: Mapping[str, Column]) -> Any:
    """A graph that takes the columns, from one that takes their features (N, F)."""
    from onnx import compose

    inputs = column_inputs(columns)
    features = ColumnFeatures([columns[each.name] for each in inputs])
    examples = [
        torch.zeros(2, dtype=torch.int64 if each.kind == "category" else torch.float64)
        for each in inputs
    ]
    encoding = graph_of(features, *examples)
    [encoded], [taken] = encoding.graph.output, model.graph.input
    outputs = [output.name for output in model.graph.output]
    encoding.ir_version = model.ir_version
    joined = compose.merge_models(
        encoding, model, io_map=[(encoded.name, taken.name)], prefix1="columns/"
    )
    name_ends(joined, inputs=[each.name for each in inputs], outputs=outputs)
    _take_texts(joined, inputs)
    return joined


def _take_texts(model: Any, columns: Sequence[ColumnInput]) -> None:
    """Let a graph take categories as texts, in place of their positions (N,) int64."""
    from onnx import TensorProto, helper

    graph = model.graph
    categories = [column for column in columns if column.kind == "category"]
    inputs = {each.name: each for each in graph.input}
    first = []
    for number, column in enumerate(categories):
        position = free_name(f"position_{number}", set(inputs))
        for node in graph.node:
            node.input[:] = [position if name == column.name else name for name in node.input]
        inputs[column.name].type.tensor_type.elem_type = TensorProto.STRING
        first.append(_encoder(column, position))
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    if categories:
        model.opset_import.append(helper.make_opsetid(ML, ML_OPSET))


def _encoder(column: ColumnInput, position: str) -> Any:
    """From texts to positions: those of the categories, or the one after the last."""
    from onnx import helper

    keys = list(column.values) or [""]  # there has to be one
    return helper.make_node(
        "LabelEncoder",
        [column.name],
        [position],
        name=f"{column.name}/LabelEncoder",
        domain=ML,
        keys_strings=keys,
        values_int64s=list(range(len(keys))),
        default_int64=len(column.values),
    )
