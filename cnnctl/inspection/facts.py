"""What there is to know of a network: a row for each layer and block, and their sums."""

from __future__ import annotations

from dataclasses import dataclass

from cnnctl.model.layer import Shape
from cnnctl.model.receptive_field import ReceptiveField


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
    field: ReceptiveField | None
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
    input: Shape = ()
    kernel: tuple[int, ...] | None = None
    """Window of a convolution or a pooling; none elsewhere."""
    starts: str = ""
    """The initializer that its weight gets, by kind: `he_normal`; empty without weights."""
    dtype: str = "float32"
    is_counted: bool = True
    """Whether all its multiply-adds are known; not where it has operations of its own."""
    trainable_bytes: int = 0
    """Of weight_bytes, those that training changes."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The layers, from input to output, and their sums."""

    input: Shape
    batch_size: int
    rows: tuple[Row, ...]
    """Layers and blocks; a block stands before what is in it."""
    kept_bytes: int = 0
    """Of what a forward pass keeps for the backward pass of a batch; see `saved_activations`."""

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
    def trainable_bytes(self) -> int:
        """Memory of the parameters that training changes, which is that of their gradients."""
        return sum(row.trainable_bytes for row in self.layers)

    @property
    def is_counted(self) -> bool:
        """Whether the multiply-adds of every layer are known."""
        return all(row.is_counted for row in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Memory that the outputs of all layers take, for a batch."""
        return sum(row.activation_bytes for row in self.layers)
