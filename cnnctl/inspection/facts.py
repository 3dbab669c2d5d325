"""Gather what there is to know of a network before it has any weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnctl.inspection.receptive_field import Field, field_after, one_pixel
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


@dataclass(frozen=True, slots=True)
class Summary:
    """The layers, from input to output, and their sums."""

    input: Shape
    batch_size: int
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Parameters of the network."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """Parameters that training changes."""
        return sum(row.trainable for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one sample."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def weight_bytes(self) -> int:
        """Memory that the parameters take."""
        return sum(row.weight_bytes for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Memory that the outputs of all layers take, as training keeps them for a batch."""
        return sum(row.activation_bytes for row in self.rows)


def gather(plan: Plan, *, batch_size: int) -> Summary:
    """Gather the facts of every layer, on the meta device, where nothing is allocated."""
    with torch.device("meta"):
        modules = [stage.layer.build(stage.input) for stage in plan.stages]
    field = one_pixel(plan.input)
    counted: set[nn.Parameter] = set()
    rows = []
    for stage, module in zip(plan.stages, modules, strict=True):
        field = field_after(module, field, input=stage.input, output=stage.output)
        fresh = set(module.parameters()) - counted
        counted |= fresh
        rows.append(_row(stage, module, field, fresh, batch_size))
    return Summary(plan.input, batch_size, tuple(rows))


def _row(
    stage: Stage,
    module: nn.Module,
    field: Field | None,
    parameters: Iterable[nn.Parameter],
    batch_size: int,
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
