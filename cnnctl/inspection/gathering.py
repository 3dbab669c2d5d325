"""Gather what there is to know of a network before it has any weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from cnnctl.inspection.cost import Cost, Part, kernel_of, known_cost
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.receptive_field import Field, field_after, one_pixel, union
from cnnctl.inspection.retention import Kept, kept_by, kept_bytes
from cnnctl.model.block import Block
from cnnctl.model.freezing import Freeze, freezing_of
from cnnctl.model.initializers import Initializer
from cnnctl.model.layer import Layer, Shape, WeightedLayer
from cnnctl.model.network import Plan, Stage, outline


def gather(
    plan: Plan, *, batch_size: int, freeze: Freeze | None = None, unfreeze_at: int | None = None
) -> Summary:
    """Gather the facts of every layer and block, on the meta device, where nothing is allocated.

    Args:
        freeze: `model.freeze`; what it names does not train.
        unfreeze_at: `model.unfreeze_at`; from epoch 1, it all does.
    """
    network = outline(plan)
    freezing_of(network, freeze or [], unfreeze_at=unfreeze_at).begin_epoch(1)
    gathering = _Gathering(network, plan.init, batch_size)
    rows = gathering.rows(plan.stages, one_pixel(plan.input), depth=0)[0]
    kept = kept_bytes(plan.stages, plan.input, network=network, kept=gathering.kept)
    return Summary(plan.input, batch_size, tuple(rows), kept * batch_size)


_Seen = tuple[Shape, Field | None]
"""The shape of a tensor, and what its numbers see."""


class _Gathering:
    """Walks the tree of stages, and counts what layers share once."""

    def __init__(self, network: nn.Module, init: Initializer, batch_size: int) -> None:
        self.network = network
        self.init = init
        self.batch_size = batch_size
        self.counted: set[nn.Parameter] = set()
        self.kept: dict[str, Kept] = {}

    def rows(
        self, stages: Sequence[Stage], field: Field | None, *, depth: int
    ) -> tuple[list[Row], Field | None]:
        """The rows of a chain, and the field behind it."""
        rows: list[Row] = []
        for stage in stages:
            if isinstance(stage.layer, Block):
                added, field = self.block(stage, stage.layer, field, depth)
            else:
                added, field = self.layer(stage, field, depth)
            rows += added
        return rows, field

    def layer(
        self, stage: Stage, field: Field | None, depth: int
    ) -> tuple[list[Row], Field | None]:
        """The row of a layer, and of the modules in it, if it is made of some."""
        module = self.network.get_submodule(stage.name)
        cost = known_cost(module, stage.input, stage.output)
        if cost is None:
            return self.unknown(stage, module, field, depth)
        self.kept[stage.name] = kept_by(module, stage.input, stage.output)
        return self.leaf(stage, module, cost, field, depth)

    def unknown(
        self, stage: Stage, module: nn.Module, field: Field | None, depth: int
    ) -> tuple[list[Row], Field | None]:
        """The rows of a module that has to be run to be known."""
        from cnnctl.inspection.opaque import measure  # loads much of torch

        learns = any(weight.requires_grad for weight in self.counted)
        measured = measure(module, stage.input, needs_gradient=learns)
        self.kept[stage.name] = measured.kept
        if not measured.parts:
            return self.leaf(stage, module, measured.cost, field, depth)
        whole = Part(stage.name, module, stage.input, stage.output, measured.cost)
        parts = [replace(part, name=f"{stage.name}.{part.name}") for part in measured.parts]
        *rows, rest = (
            replace(self.row(part, type(part.module).__name__, depth + 1), block=stage.name)
            for part in (*parts, _rest(whole, parts))
        )
        if rest.parameters or rest.multiply_adds or not rest.is_counted:
            rows.append(rest)
        return [_of_block(stage, rows, None, depth), *rows], None

    def leaf(
        self, stage: Stage, module: nn.Module, cost: Cost, field: Field | None, depth: int
    ) -> tuple[list[Row], Field | None]:
        """The row of a layer without others in it, and the field behind it."""
        field = field_after(module, field, input=stage.input, output=stage.output)
        part = Part(stage.name, module, stage.input, stage.output, cost)
        row = self.row(part, stage.layer.kind, depth)
        return [replace(row, field=field, starts=_starts(stage.layer, self.init))], field

    def row(self, part: Part, kind: str, depth: int) -> Row:
        """The row of a module; of its parameters, those that no row before it has."""
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
            depth=depth,
            input=part.input,
            kernel=kernel_of(part.module, part.input),
            dtype=part.cost.dtype,
            is_counted=part.cost.is_counted,
            trainable_bytes=sum(p.nbytes for p in fresh if p.requires_grad),
        )

    def block(
        self, stage: Stage, block: Block, field: Field | None, depth: int
    ) -> tuple[list[Row], Field | None]:
        """A block's ways start from its input, or from the ways that feed them."""
        rows: list[Row] = []
        given = (stage.input, field)
        behind: list[_Seen] = []
        for index, way in enumerate(stage.ways):
            start = _joined(block.taken(index, given, behind), way.input)
            inside, end = self.rows(way.stages, start, depth=depth + 1)
            rows += [row if row.block else replace(row, block=stage.name) for row in inside]
            behind.append((way.output, end))
        found = _joined(block.given(given, behind), stage.output)
        return [_of_block(stage, rows, found, depth), *rows], found


def _joined(seen: Sequence[_Seen], shape: Shape) -> Field | None:
    """The field of a tensor of this shape that is made of others.

    What is stretched to its sides, as by squeeze and excitation, is a factor for the whole image.
    """
    return union([field for given, field in seen if given[1:] == shape[1:]])


def _starts(layer: Layer, default: Initializer) -> str:
    return (layer.init or default).kind if isinstance(layer, WeightedLayer) else ""


def _rest(whole: Part, parts: Sequence[Part]) -> Part:
    """What a module does beside calling the modules in it: parameters and products of its own."""
    multiply_adds = sum(part.cost.multiply_adds for part in parts)
    cost = replace(
        whole.cost,
        multiply_adds=whole.cost.multiply_adds - multiply_adds,
        output_bytes=0,
        is_counted=whole.cost.is_counted or not all(part.cost.is_counted for part in parts),
    )
    return replace(whole, name=f"{whole.name}.rest", cost=cost)


def _of_block(stage: Stage, inside: Sequence[Row], field: Field | None, depth: int) -> Row:
    """A block's row: what is in it, added up."""
    own = [row for row in inside if not row.is_block]
    return Row(
        name=stage.name,
        kind=stage.layer.kind,
        output=stage.output,
        parameters=sum(row.parameters for row in own),
        trainable=sum(row.trainable for row in own),
        multiply_adds=sum(row.multiply_adds or 0 for row in own) or None,
        field=field,
        weight_bytes=sum(row.weight_bytes for row in own),
        activation_bytes=sum(row.activation_bytes for row in own),
        depth=depth,
        is_block=True,
        input=stage.input,
        is_counted=all(row.is_counted for row in own),
        trainable_bytes=sum(row.trainable_bytes for row in own),
    )
