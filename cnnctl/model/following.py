"""Which layers get what a layer gives, followed through a planned network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnctl.model.block import Block, PlannedLayer
from cnnctl.model.initializers import Activation
from cnnctl.model.layer import WeightedLayer


def all_layers(layers: Sequence[PlannedLayer]) -> Iterator[PlannedLayer]:
    """These layers and all that is in them; a block comes before what is in it."""
    for planned in layers:
        yield planned
        for branch in planned.branches:
            yield from all_layers(branch.layers)


def chains(layers: tuple[PlannedLayer, ...]) -> Iterator[tuple[PlannedLayer, ...]]:
    """Every run of layers one after the other: the network's own, and those in its blocks."""
    yield tuple(_on_the_way(layers))
    for planned in layers:
        for branch in planned.branches:
            yield from chains(branch.layers)


def _on_the_way(layers: Iterable[PlannedLayer]) -> Iterator[PlannedLayer]:
    """The layers that change what passes through them."""
    for planned in layers:
        if not (isinstance(planned.layer, Block) and planned.layer.is_aside):
            yield planned


def deciding(layers: Sequence[PlannedLayer]) -> PlannedLayer:
    """The layer that sets the output shape of a chain, within a block if one branch does."""
    return _deciding(layers) or layers[-1]


def _deciding(layers: Sequence[PlannedLayer]) -> PlannedLayer | None:
    for planned in reversed(tuple(_on_the_way(layers))):
        if isinstance(planned.layer, Block):
            ends: list[Sequence[PlannedLayer]] = [branch.layers for branch in planned.branches]
            given = planned.layer.given((), ends)
            return (_deciding(given[0]) if len(given) == 1 else None) or planned
        if isinstance(planned.layer, WeightedLayer) or planned.output != planned.input:
            return planned
    return None


def fewest_between_norms(layers: Sequence[PlannedLayer], activation: Activation) -> int:
    """How many such activations every gradient has to pass with no norm in between.

    Of all paths through the blocks the one with the fewest counts, as a shortcut lets it by.
    """
    return _passed(layers, (0, 0), activation)[0]


def _passed(
    layers: Sequence[PlannedLayer], before: tuple[int, int], activation: Activation
) -> tuple[int, int]:
    """The most activations without a norm in between, and how many since the last norm."""
    most, run = before
    for planned in layers:
        layer = planned.layer
        if isinstance(layer, Block):
            outputs: list[tuple[int, int]] = []
            for index, branch in enumerate(planned.branches):
                start = min(layer.taken(index, (most, run), outputs))
                outputs.append(_passed(branch.layers, start, activation))
            most, run = min(layer.given((most, run), outputs))
        elif layer.is_norm:
            run = 0
        elif layer.acts_as == activation:
            most, run = max(most, run + 1), run + 1
    return most, run


@dataclass(frozen=True, slots=True)
class Followers:
    """The layers behind a place in a chain, and those behind the chain; walked as far as needed."""

    layers: Sequence[PlannedLayer]
    first: int
    behind: Iterable[PlannedLayer]

    def __iter__(self) -> Iterator[PlannedLayer]:
        yield from _on_the_way(self.layers[n] for n in range(self.first, len(self.layers)))
        yield from self.behind


def with_followers(
    layers: Sequence[PlannedLayer], behind: Iterable[PlannedLayer] = ()
) -> Iterator[tuple[PlannedLayer, Iterable[PlannedLayer]]]:
    """Every layer that holds no others, with the layers that get what it gives, one by one."""
    for index, planned in enumerate(layers):
        rest = Followers(layers, index + 1, behind)
        if not isinstance(planned.layer, Block):
            yield planned, rest
            continue
        for number, branch in enumerate(planned.branches):
            inside = planned.layer.behind(number, planned.branches)
            after = () if planned.layer.is_aside else Followers(inside, 0, rest)
            yield from with_followers(branch.layers, after)


def following_activation(layers: Iterable[PlannedLayer]) -> Activation:
    """The first activation behind a layer, before the next weights; `linear` if there is none."""
    for planned in (leaf for behind in layers for leaf in behind.leaves()):
        if planned.layer.acts_as is not None:
            return planned.layer.acts_as
        if isinstance(planned.layer, WeightedLayer):
            break
    return "linear"
