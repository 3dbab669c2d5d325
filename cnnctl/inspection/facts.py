"""The facts of a network: a row for each layer and block, and their sums."""

from __future__ import annotations

from dataclasses import dataclass

from cnnctl.model.layer import Shape
from cnnctl.model.receptive_field import ReceptiveField


@dataclass(frozen=True, slots=True)
class Row:
    """The facts of one layer or block. Memory is in bytes, as float32."""

    name: str
    kind: str
    output: Shape
    parameters: int
    """Without those shared with an earlier layer."""
    trainable: int
    multiply_adds: int | None
    """Those of convolutions and matrix products, for one sample; None if there are none."""
    field: ReceptiveField | None
    """Receptive field and stride; see `receptive_field`."""
    weight_bytes: int
    activation_bytes: int
    """Memory of the output for the whole batch; 0 if it is a view of the input."""
    depth: int = 0
    """Number of enclosing blocks."""
    block: str = ""
    """Name of the enclosing block."""
    is_block: bool = False
    """Whether it is a block that contains the deeper rows below; its numbers are their sums."""
    input: Shape = ()
    kernel: tuple[int, ...] | None = None
    """Kernel size of a convolution or pooling; otherwise None."""
    starts: str = ""
    """Kind of the weight's initializer, such as `kaiming_normal`; empty without weights."""
    dtype: str = "float32"
    is_counted: bool = True
    """Whether all its multiply-adds are known."""
    trainable_bytes: int = 0
    """The part of `weight_bytes` that training changes."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The layers, from input to output, and their sums."""

    input: Shape
    batch_size: int
    rows: tuple[Row, ...]
    """Layers and blocks; a block precedes its layers."""
    kept_bytes: int = 0
    """Activations of a batch saved for the backward pass; see `saved_activations`."""

    @property
    def layers(self) -> list[Row]:
        """The rows without the blocks, whose numbers are sums of others."""
        return [row for row in self.rows if not row.is_block]

    @property
    def depth(self) -> int:
        """The number of nesting levels."""
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
        """Memory of the parameters."""
        return sum(row.weight_bytes for row in self.layers)

    @property
    def trainable_bytes(self) -> int:
        """Memory of the parameters that training changes, and so of their gradients."""
        return sum(row.trainable_bytes for row in self.layers)

    @property
    def is_counted(self) -> bool:
        """Whether the multiply-adds of every layer are known."""
        return all(row.is_counted for row in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Memory of the outputs of all layers, for a batch."""
        return sum(row.activation_bytes for row in self.layers)
