"""Gather what there is to know of a network before it has any weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnctl.inspection.receptive_field import Field, field_after, one_pixel
from cnnctl.model.block import Block
from cnnctl.model.layer import Shape
from cnnctl.model.network import Plan, Stage


@dataclass(frozen=True, slots=True)
class Row:
    """One layer. Memory is in bytes, as float32."""

    name: str
    kind: str
    output: Shape
    parameters: int
    """Without those that an earlier layer shares."""
    trainable: int
    multiply_adds: int | None
    """Of convolutions and matrix products, for one sample; nothing where there are none."""
    field: Field | None
    """Receptive field and stride; see `receptive_field`."""
    weight_bytes: int
    activation_bytes: int
    """Of the output, for the whole batch; none where it is the input, looked at in another way."""
    depth: int = 0
    """Blocks that it is in."""
    block: str = ""
    """The name of the block that it is in."""
    is_block: bool = False
    """Whether it holds the rows below it that are deeper; its numbers are their sums."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The layers, from input to output, and their sums."""

    input: Shape
    batch_size: int
    rows: tuple[Row, ...]
    """Layers and blocks; a block stands before what is in it."""

    @property
    def layers(self) -> list[Row]:
        """The rows without the blocks, whose numbers are sums of others."""
        return [row for row in self.rows if not row.is_block]

    @property
    def depth(self) -> int:
        """How deep the blocks lie in each other."""
        return max(row.depth for row in self.rows)

    @property
    def parameters(self) -> int:
        """Parameters of the network."""
        return sum(row.parameters for row in self.layers)

    @property
    def trainable(self) -> int:
        """Parameters that training changes."""
        return sum(row.trainable for row in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one sample."""
        return sum(row.multiply_adds or 0 for row in self.layers)

    @property
    def weight_bytes(self) -> int:
        """Memory that the parameters take."""
        return sum(row.weight_bytes for row in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Memory that the outputs of all layers take, as training keeps them for a batch."""
        return sum(row.activation_bytes for row in self.layers)


def gather(plan: Plan, *, batch_size: int) -> Summary:
    """Gather the facts of every layer and block, on the meta device, where nothing is allocated."""
    rows = _Gathering(batch_size).rows(plan.stages, one_pixel(plan.input), depth=0)[0]
    return Summary(plan.input, batch_size, tuple(rows))


class _Gathering:
    """Walks the tree of stages, and counts what layers share once."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.counted: set[nn.Parameter] = set()

    def rows(
        self, stages: Sequence[Stage], field: Field | None, *, depth: int
    ) -> tuple[list[Row], Field | None]:
        """The rows of a chain, and the field behind it."""
        rows: list[Row] = []
        for stage in stages:
            added, field = self.row(stage, field, depth)
            rows += added
        return rows, field

    def row(self, stage: Stage, field: Field | None, depth: int) -> tuple[list[Row], Field | None]:
        """The row of a layer, or of a block and all that is in it."""
        if isinstance(stage.layer, Block):
            return self.block(stage, stage.layer, field, depth)
        with torch.device("meta"):
            module = stage.layer.build(stage.input)
        field = field_after(module, field, input=stage.input, output=stage.output)
        fresh = set(module.parameters()) - self.counted
        self.counted |= fresh
        return [_row(stage, module, field, fresh, self.batch_size, depth)], field

    def block(
        self, stage: Stage, block: Block, field: Field | None, depth: int
    ) -> tuple[list[Row], Field | None]:
        """A block's ways start from its input, or from the ways that feed them."""
        rows: list[Row] = []
        behind: list[Field | None] = []
        for index, way in enumerate(stage.ways):
            feeding = [behind[n] for n in range(index) if block.feeds(n, index)]
            start = widest(feeding) if feeding else field
            inside, end = self.rows(way.stages, start, depth=depth + 1)
            rows += [row if row.block else replace(row, block=stage.name) for row in inside]
            behind.append(end if end is None or way.output[1:] == stage.output[1:] else None)
        ends = [
            end
            for index, end in enumerate(behind)
            if stage.ways[index].output[1:] == stage.output[1:]
            and not any(block.feeds(index, n) for n in range(index + 1, len(behind)))
        ]
        found = widest(ends)
        return [_of_block(stage, rows, found, depth), *rows], found


def widest(fields: Sequence[Field | None]) -> Field | None:
    """The field where ways meet: the largest, if their strides agree."""
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or len({field.stride for field in known}) != 1:
        return None
    sizes = zip(*(field.size for field in known), strict=True)
    return Field(tuple(map(max, sizes)), known[0].stride)


def _of_block(stage: Stage, inside: Sequence[Row], field: Field | None, depth: int) -> Row:
    """A block's row: what is in it, added up."""
    own = [row for row in inside if not row.is_block]
    multiply_adds = sum(row.multiply_adds or 0 for row in own)
    return Row(
        name=stage.name,
        kind=stage.layer.kind,
        output=stage.output,
        parameters=sum(row.parameters for row in own),
        trainable=sum(row.trainable for row in own),
        multiply_adds=multiply_adds or None,
        field=field,
        weight_bytes=sum(row.weight_bytes for row in own),
        activation_bytes=sum(row.activation_bytes for row in own),
        depth=depth,
        is_block=True,
    )


def _row(
    stage: Stage,
    module: nn.Module,
    field: Field | None,
    parameters: Iterable[nn.Parameter],
    batch_size: int,
    depth: int,
) -> Row:
    multiply_adds, output_bytes = _cost(module, stage.input)
    return Row(
        name=stage.name,
        kind=stage.layer.kind,
        output=stage.output,
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        multiply_adds=multiply_adds or None,
        field=field,
        weight_bytes=sum(p.nbytes for p in parameters),
        activation_bytes=output_bytes * batch_size,
        depth=depth,
    )


def _cost(module: nn.Module, input: Shape) -> tuple[int, int]:
    """Multiply-adds, and bytes of output, of one sample."""
    # two samples, since batch norm takes no batch of one
    samples = torch.empty(2, *input, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output: torch.Tensor = module(samples)
    is_view = output is samples or output._base is samples
    # the counter takes a multiplication and an addition for two
    return counter.get_total_flops() // 4, 0 if is_view else output.nbytes // 2
