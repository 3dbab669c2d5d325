"""From a module to an ONNX graph: the export, then names, texts and metadata."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnnctl.export.onnx.columns import ColumnFeatures
from cnnctl.export.onnx.pooling import without_adaptive_max_pools
from cnnctl.export.onnx.quiet import quiet
from cnnctl.version import __version__

OPSET = 20
"""ONNX Runtime has it since 1.17, of January 2024; torch.onnx writes it by default."""
NETWORK = "network."
"""Where `Whole` keeps the network."""


class UnsupportedError(Exception):
    """What cannot be in a graph, in a few words."""


def graph_of(module: nn.Module, *inputs: Tensor) -> Any:
    """The onnx.ModelProto of a module in evaluation mode, for batches of any size.

    A module that takes `*columns` takes more than one input. Of what the exporter notes about
    every node, only the layer is kept, as its name: the rest has paths of this machine.

    Raises:
        UnsupportedError: ONNX has no such operation.
    """
    batch = torch.export.Dim("batch", min=1)
    shapes: Any = tuple({0: batch} for _ in inputs)
    with quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                without_adaptive_max_pools(module.eval()),
                inputs,
                dynamo=True,
                dynamic_shapes=(shapes,) if isinstance(module, ColumnFeatures) else shapes,
                opset_version=OPSET,
                verbose=False,
            )
        except Exception as error:  # it raises all kinds
            raise UnsupportedError(_reason(error)) from error
        assert program is not None  # as with dynamo=True
        model = program.model_proto
    _name_nodes(model)
    return model


def _reason(error: Exception) -> str:
    """What the exporter could not do, from all that it says."""
    found = re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", str(error))
    return f"ONNX has no {found[1]}" if found else type(error).__name__


def _name_nodes(model: Any) -> None:
    """Name every node by its layer and operation, `conv1/Conv`, and drop all other notes."""
    taken: Counter[str] = Counter()
    for node in model.graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "['']"))
        layer = scopes[-2].removeprefix(NETWORK) if len(scopes) > 1 else ""
        name = f"{layer}/{node.op_type}" if layer else node.op_type
        taken[name] += 1
        node.name = name if taken[name] == 1 else f"{name}_{taken[name]}"
    graph = model.graph
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer, graph, model):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.value_info[:]


def name_ends(model: Any, *, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Name the inputs and outputs of a graph; what is inside and called like one is renamed."""
    graph = model.graph
    ends = [*graph.input, *graph.output]
    wanted = dict(zip((end.name for end in ends), (*inputs, *outputs), strict=True))
    inside = {output for node in graph.node for output in node.output}
    inside |= {initializer.name for initializer in graph.initializer}
    clashing = inside & {*inputs, *outputs}
    names = {name: free_name(name, inside | {*inputs, *outputs}) for name in clashing} | wanted
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for part in (*ends, *graph.initializer):
        part.name = names.get(part.name, part.name)


def free_name(name: str, taken: set[str]) -> str:
    """The name, lengthened until it is not taken."""
    while name in taken:
        name += "_"
    return name


def sign(model: Any, facts: Mapping[str, str]) -> None:
    """Add metadata to a graph, and keep only the sets of operations that it uses."""
    from onnx import helper

    model.producer_name, model.producer_version = "cnnctl", __version__
    versions = {each.domain: each.version for each in model.opset_import}
    del model.opset_import[:]
    for domain in sorted({node.domain for node in model.graph.node}):
        model.opset_import.append(helper.make_opsetid(domain, versions[domain]))
    helper.set_model_props(model, dict(facts))


def bytes_of(model: Any) -> bytes:
    """The file of a graph; the same graph gives the same bytes."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content
