"""Which layers get what a layer gives, followed through a planned network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnctl.model.block import Block, Stage
from cnnctl.model.initializers import Activation
from cnnctl.model.layer import WeightedLayer


def all_stages(stages: Sequence[Stage]) -> Iterator[Stage]:
    """These stages and all that is in them; a block comes before what is in it."""
    for stage in stages:
        yield stage
        for way in stage.ways:
            yield from all_stages(way.stages)


def chains(stages: tuple[Stage, ...]) -> Iterator[tuple[Stage, ...]]:
    """Every run of layers one after the other: the network's own, and those in its blocks."""
    yield tuple(_on_the_way(stages))
    for stage in stages:
        for way in stage.ways:
            yield from chains(way.stages)


def _on_the_way(stages: Iterable[Stage]) -> Iterator[Stage]:
    """The stages that change what passes through them."""
    for stage in stages:
        if not (isinstance(stage.layer, Block) and stage.layer.is_aside):
            yield stage


def deciding(stages: Sequence[Stage]) -> Stage:
    """The layer that sets the shape of what a chain gives; within a block, if it is one way's."""
    return _deciding(stages) or stages[-1]


def _deciding(stages: Sequence[Stage]) -> Stage | None:
    for stage in reversed(tuple(_on_the_way(stages))):
        if isinstance(stage.layer, Block):
            ends: list[Sequence[Stage]] = [way.stages for way in stage.ways]
            given = stage.layer.given((), ends)
            return (_deciding(given[0]) if len(given) == 1 else None) or stage
        if isinstance(stage.layer, WeightedLayer) or stage.output != stage.input:
            return stage
    return None


def fewest_between_norms(stages: Sequence[Stage], *, kind: str, norms: Collection[str]) -> int:
    """How many layers of a kind every gradient has to pass with no norm in between.

    Of all paths through the blocks the one with the fewest counts, as a shortcut lets it by.
    """
    return _passed(stages, (0, 0), kind, norms)[0]


def _passed(
    stages: Sequence[Stage], before: tuple[int, int], kind: str, norms: Collection[str]
) -> tuple[int, int]:
    """The most layers without a norm in between, and how many since the last norm."""
    most, run = before
    for stage in stages:
        layer = stage.layer
        if isinstance(layer, Block):
            outputs: list[tuple[int, int]] = []
            for index, way in enumerate(stage.ways):
                start = min(layer.taken(index, (most, run), outputs))
                outputs.append(_passed(way.stages, start, kind, norms))
            most, run = min(layer.given((most, run), outputs))
        elif layer.kind in norms:
            run = 0
        elif layer.kind == kind:
            most, run = max(most, run + 1), run + 1
    return most, run


@dataclass(frozen=True, slots=True)
class Followers:
    """The stages behind a place in a chain, and those behind the chain; walked as far as needed."""

    stages: Sequence[Stage]
    first: int
    behind: Iterable[Stage]

    def __iter__(self) -> Iterator[Stage]:
        yield from _on_the_way(self.stages[n] for n in range(self.first, len(self.stages)))
        yield from self.behind


def with_followers(
    stages: Sequence[Stage], behind: Iterable[Stage] = ()
) -> Iterator[tuple[Stage, Iterable[Stage]]]:
    """Every layer that holds no others, with the stages that get what it gives, one by one."""
    for index, stage in enumerate(stages):
        rest = Followers(stages, index + 1, behind)
        if not isinstance(stage.layer, Block):
            yield stage, rest
            continue
        for number, way in enumerate(stage.ways):
            inside = stage.layer.behind(number, stage.ways)
            after = () if stage.layer.is_aside else Followers(inside, 0, rest)
            yield from with_followers(way.stages, after)


def following_activation(stages: Iterable[Stage]) -> Activation:
    """The first activation behind a layer, before the next weights; `linear` if there is none."""
    for stage in (leaf for behind in stages for leaf in behind.leaves()):
        if stage.layer.acts_as is not None:
            return stage.layer.acts_as
        if isinstance(stage.layer, WeightedLayer):
            break
    return "linear"
