"""Modules that torch.nn lacks; flat arguments, no configuration."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import islice
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.model.passes import is_repeated

Join = Literal["concatenate", "add", "multiply", "mean"]
"""How parallel branches are joined."""


class GlobalAvgPool(nn.Module):
    """The mean of each channel; (N, C, *) in, (N, C) out."""

    def forward(self, input: Tensor) -> Tensor:
        """Average over all dimensions after the channels."""
        return input.mean(dim=tuple(range(2, input.ndim)))


class GlobalMaxPool(nn.Module):
    """The largest value of each channel; (N, C, *) in, (N, C) out."""

    def forward(self, input: Tensor) -> Tensor:
        """Take the maximum over all dimensions after the channels."""
        return input.amax(dim=tuple(range(2, input.ndim)))


class PadChannels(nn.Module):
    """Appends channels of zeros; (N, C, *) in, (N, C + extra, *) out."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, input: Tensor) -> Tensor:
        """Append the zeros."""
        return functional.pad(input, (*[0, 0] * (input.ndim - 2), 0, self.extra))


class Chunk(nn.Module):
    """One of the equal parts of the channels; (N, C, *) in, (N, C / chunks, *) out."""

    def __init__(self, chunks: int, index: int) -> None:
        super().__init__()
        self.chunks = chunks
        self.index = index

    def forward(self, input: Tensor) -> Tensor:
        """Return that part as a view."""
        return input.chunk(self.chunks, dim=1)[self.index]


class Maxout(nn.Module):
    """The largest of each group of channels; (N, C, *) in, (N, C / pieces, *) out."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, input: Tensor) -> Tensor:
        """Take the largest of each group."""
        return torch.unflatten(input, 1, (-1, self.pieces)).amax(dim=2)


class Step(nn.Module):
    """0 below zero and 1 above, with a gradient of 0; (N, *) in and out."""

    def __init__(self, at_zero: int) -> None:
        super().__init__()
        self.at_zero = at_zero

    def forward(self, input: Tensor) -> Tensor:
        """Round the sign, since torch.heaviside has no gradient at all."""
        share = (input.sign() + 1) / 2
        return share.ceil() if self.at_zero else share.floor()


class Permute(nn.Module):
    """The dimensions in another order; the batch, which stays first, is 0."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = tuple(dims)

    def forward(self, input: Tensor) -> Tensor:
        """Return a view."""
        return input.permute(0, *self.dims)


class LayerScale(nn.Module):
    """A learned factor for each channel; (N, C, *) in and out."""

    def __init__(self, channels: int, init_value: float) -> None:
        super().__init__()
        self.channels = channels
        self.init_value = init_value
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all factors to the initial value."""
        nn.init.constant_(self.weight, self.init_value)

    def forward(self, input: Tensor) -> Tensor:
        """Multiply each channel."""
        return input * self.weight.reshape(-1, *[1] * (input.ndim - 2))


class ChannelNorm(nn.LayerNorm):
    """nn.LayerNorm over the channels at each position; (N, C, *) in and out."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise with the channels last, as nn.LayerNorm requires."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class Residual(nn.Module):
    """A chain of layers with a shortcut around it (He et al. 2015).

    The layers are children of the module itself, by their names, before `shortcut` and
    `activation`.
    """

    def __init__(self, body: nn.Sequential, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        for name, layer in body.named_children():
            self.add_module(name, layer)
        self.depth = len(body)
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, input: Tensor) -> Tensor:
        """Add both paths, whose outputs have the same shape."""
        output = input
        for layer in islice(self.children(), self.depth):
            output = layer(output)
        result: Tensor = self.activation(output + self.shortcut(input))
        return result


class Branches(nn.Module):
    """Parallel branches, each of which takes the input."""

    def __init__(self, ways: Mapping[str, nn.Module], join: Join) -> None:
        super().__init__()
        for name, way in ways.items():
            self.add_module(name, way)
        self.join = join

    def forward(self, input: Tensor) -> Tensor:
        """Concatenate the outputs (N, C, *) along the channels, or add or multiply them."""
        outputs: list[Tensor] = [way(input) for way in self.children()]
        if self.join == "concatenate":
            return torch.cat(outputs, dim=1)
        if self.join == "multiply":
            product: Tensor = reduce(torch.mul, outputs)
            return product
        total: Tensor = reduce(torch.add, outputs)
        return total / len(outputs) if self.join == "mean" else total


class Auxiliary(nn.Sequential):
    """Layers that run in training only; their output is kept for `WithAuxiliary`."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__(OrderedDict(layers.named_children()))
        self.kept: Tensor | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Pass the input on, and keep the output of the layers in training."""
        if self.training:
            output = super().forward(input)  # type: ignore[no-untyped-call]
            self.kept = self.kept if is_repeated() else output
        return input

    def take(self) -> Tensor:
        """Return and drop the output of the layers for the last input."""
        kept, self.kept = self.kept, None
        assert kept is not None
        return kept


class WithAuxiliary(nn.Sequential):
    """A network that contains auxiliary classifiers at any depth."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, *) in; (N, outputs) out, in training followed by those of the classifiers."""
        return self.with_auxiliary(super().forward(input))  # type: ignore[no-untyped-call]

    def with_auxiliary(self, output: Tensor) -> Tensor:
        """Append what the classifiers have kept, in training."""
        if not self.training:
            return output
        aside = [part.take() for part in self.modules() if isinstance(part, Auxiliary)]
        return torch.cat([output, *aside], dim=1) if aside else output


class Dense(nn.Sequential):
    """Steps that each take the outputs of all previous ones (Huang et al. 2016)."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *) in; the input and the output of every step out, along the channels."""
        seen = input
        for step in self:
            seen = torch.cat([seen, step(seen)], dim=1)
        return seen
