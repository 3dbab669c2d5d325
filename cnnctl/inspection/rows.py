"""Gathers the facts of a network before it has any weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch import nn

from cnnctl.inspection.cost import Cost, Part, defined_cost, kernel_of
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.saved_activations import kept_bytes
from cnnctl.model.freezing import Freeze, freezing_of
from cnnctl.model.graph import Graph
from cnnctl.model.initializers import Initializer
from cnnctl.model.layer import Layer, Saved, WeightedLayer
from cnnctl.model.network import NetworkPlan, PlannedLayer, new_meta_network
from cnnctl.model.receptive_field import ReceptiveField, Window, one_pixel, sliding, union
from cnnctl.model.recomputation import Choice, segments_of


def gather(
    plan: NetworkPlan,
    *,
    batch_size: int,
    freeze: Freeze | None = None,
    unfreeze_at: int | None = None,
    recompute: Choice = False,
) -> Summary:
    """Gather the facts of every layer and block on the meta device; nothing is allocated.

    Args:
        freeze: `model.freeze`, the layers that do not train.
        unfreeze_at: `model.unfreeze_at`; if that is 1, all of them do.
        recompute: `train.activation_checkpointing`.
    """
    network = new_meta_network(plan)
    freezing_of(network, freeze or [], unfreeze_at=unfreeze_at).begin_epoch(1)
    gathering = _Gathering(network, plan.init, batch_size)
    rows = list(gathering.rows(plan))
    fields = _fields(plan.graph, gathering.windows)
    rows = [replace(row, field=fields.get(row.name)) for row in rows]
    kept = kept_bytes(
        plan.graph,
        network=network,
        saved=gathering.saved,
        segments=segments_of(network, recompute),
    )
    return Summary(plan.input, batch_size, tuple(rows), kept * batch_size)


def _fields(graph: Graph, windows: Mapping[str, Window | None]) -> dict[str, ReceptiveField | None]:
    """The receptive field of each layer and block, by name."""
    seen: list[ReceptiveField | None] = [one_pixel(len(graph.nodes[0].shape) - 1)]
    for node in graph.nodes[1:]:
        if node.planned:
            before = seen[node.sources[0]]
            seen.append(before and before.through(windows[node.planned.name]))
        else:
            # broadcast sources, as in squeeze-and-excitation, are factors for the whole image
            sides = node.shape[1:]
            sources = (n for n in node.sources if graph.nodes[n].shape[1:] == sides)
            seen.append(union([seen[n] for n in sources]))
    return {name: seen[number] for name, number in graph.ends.items()}


class _Gathering:
    """Measures layer after layer; shared parameters count once."""

    def __init__(self, network: nn.Module, init: Initializer, batch_size: int) -> None:
        self.network = network
        self.init = init
        self.batch_size = batch_size
        self.counted: set[nn.Parameter] = set()
        self.saved: dict[str, Saved] = {}
        self.windows: dict[str, Window | None] = {}

    def rows(self, plan: NetworkPlan) -> Iterator[Row]:
        """All rows, without receptive fields."""
        own = {leaf.name: self.layer(leaf) for leaf in plan.leaves()}
        for planned, blocks in plan.nested():
            rows = [row for leaf in planned.leaves() for row in own[leaf.name]]
            around = blocks[-1].name if blocks else ""
            for row in [_of_block(planned, rows)] if planned.branches else rows:
                yield replace(row, depth=row.depth + len(blocks), block=row.block or around)

    def layer(self, planned: PlannedLayer) -> list[Row]:
        """The row of a layer, and those of the modules in it, if any."""
        module, layer = self.network.get_submodule(planned.name), planned.layer
        cost = defined_cost(layer, planned.input, planned.output)
        if cost is None:
            return self.unknown(planned, module)
        learning = {name for name, weight in module.named_parameters() if weight.requires_grad}
        self.saved[planned.name] = layer.saved(planned.input, planned.output, learning=learning)
        self.windows[planned.name] = _window(planned)
        return self.leaf(planned, module, cost)

    def unknown(self, planned: PlannedLayer, module: nn.Module) -> list[Row]:
        """The rows of a module of unknown type, which has to be run."""
        from cnnctl.inspection.unknown_modules import measure_module  # imports much of torch

        learns = any(weight.requires_grad for weight in self.counted)
        measured = measure_module(module, planned.input, needs_gradient=learns)
        self.saved[planned.name] = measured.saved
        self.windows[planned.name] = None if measured.parts else _window(planned, module)
        if not measured.parts:
            return self.leaf(planned, module, measured.cost)
        whole = Part(planned.name, module, planned.input, planned.output, measured.cost)
        parts = [replace(part, name=f"{planned.name}.{part.name}") for part in measured.parts]
        *rows, rest = (
            replace(self.row(part, type(part.module).__name__), depth=1, block=planned.name)
            for part in (*parts, _rest(whole, parts))
        )
        if rest.parameters or rest.multiply_adds or not rest.is_counted:
            rows.append(rest)
        return [_of_block(planned, rows), *rows]

    def leaf(self, planned: PlannedLayer, module: nn.Module, cost: Cost) -> list[Row]:
        """The row of a layer that contains no others."""
        part = Part(planned.name, module, planned.input, planned.output, cost)
        row = self.row(part, planned.layer.kind)
        return [replace(row, starts=_starts(planned.layer, self.init))]

    def row(self, part: Part, kind: str) -> Row:
        """The row of a module, with the parameters that no earlier row has."""
        fresh = set(part.module.parameters()) - self.counted
        self.counted |= fresh
        return Row(
            name=part.name,
            kind=kind,
            output=part.output,
            parameters=sum(p.numel() for p in fresh),
            trainable=sum(p.numel() for p in fresh if p.requires_grad),
            multiply_adds=part.cost.multiply_adds or None,
            field=None,
            weight_bytes=sum(p.nbytes for p in fresh),
            activation_bytes=part.cost.output_bytes * self.batch_size,
            input=part.input,
            kernel=kernel_of(part.module, part.input),
            dtype=part.cost.dtype,
            is_counted=part.cost.is_counted,
            trainable_bytes=sum(p.nbytes for p in fresh if p.requires_grad),
        )


def _window(planned: PlannedLayer, module: nn.Module | None = None) -> Window | None:
    """The window of an output, as the layer or, if unknown, its module defines it.

    None for vectors, whose values have no position.
    """
    if len(planned.input) != len(planned.output):
        return None
    if hasattr(module, "kernel_size") and hasattr(module, "stride"):
        is_transposed = getattr(module, "transposed", False)
        return None if is_transposed else sliding(module, len(planned.input) - 1)
    return planned.layer.window(planned.input, planned.output)


def _starts(layer: Layer, default: Initializer) -> str:
    return (layer.init or default).kind if isinstance(layer, WeightedLayer) else ""


def _rest(whole: Part, parts: Sequence[Part]) -> Part:
    """The module's own part of the cost, without that of the modules in it."""
    multiply_adds = sum(part.cost.multiply_adds for part in parts)
    cost = replace(
        whole.cost,
        multiply_adds=whole.cost.multiply_adds - multiply_adds,
        output_bytes=0,
        is_counted=whole.cost.is_counted or not all(part.cost.is_counted for part in parts),
    )
    return replace(whole, name=f"{whole.name}.rest", cost=cost)


def _of_block(planned: PlannedLayer, inside: Sequence[Row]) -> Row:
    """The row of a block: the sum of its rows."""
    own = [row for row in inside if not row.is_block]
    return Row(
        name=planned.name,
        kind=planned.layer.kind,
        output=planned.output,
        parameters=sum(row.parameters for row in own),
        trainable=sum(row.trainable for row in own),
        multiply_adds=sum(row.multiply_adds or 0 for row in own) or None,
        field=None,
        weight_bytes=sum(row.weight_bytes for row in own),
        activation_bytes=sum(row.activation_bytes for row in own),
        is_block=True,
        input=planned.input,
        is_counted=all(row.is_counted for row in own),
        trainable_bytes=sum(row.trainable_bytes for row in own),
    )
