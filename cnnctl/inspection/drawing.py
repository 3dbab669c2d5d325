"""What is drawn of a network: boxes for layers, frames around blocks, and arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnctl.model.block import Block, Stage, Way
from cnnctl.model.blocks import Branches
from cnnctl.model.network import Plan

INPUT = "n_input"


@dataclass(frozen=True, slots=True)
class Box:
    """A layer, a block that is folded, or a place where ways are joined."""

    identity: str
    title: str
    detail: str
    """The shape that comes out."""
    family: str
    """What it is for: convolution, normalization, activations, …; `join` where ways are joined."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A block, around what is in it."""

    identity: str
    title: str
    items: list[Box | Frame]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A network as boxes and arrows; the first box is the input."""

    items: list[Box | Frame]
    arrows: list[tuple[str, str]] = field(default_factory=list)


def drawing_of(plan: Plan, *, depth: int | None = None) -> Drawing:
    """The network with its blocks open down to a depth, from 1; all of them where none is given."""
    first = Box(INPUT, "input", _times(plan.input), "input")
    pencil = _Pencil(depth)
    items, _ = pencil.chain(plan.stages, [INPUT], 1)
    return Drawing([first, *items], pencil.arrows)


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


class _Pencil:
    """Walks the tree of stages; keeps the arrows."""

    def __init__(self, depth: int | None) -> None:
        self.depth = depth
        self.arrows: list[tuple[str, str]] = []

    def chain(
        self, stages: Sequence[Stage], sources: list[str], level: int
    ) -> tuple[list[Box | Frame], list[str]]:
        """Stages one after the other, and what the arrows behind them start from."""
        items: list[Box | Frame] = []
        for stage in stages:
            item, sources = self.stage(stage, sources, level)
            items.append(item)
        return items, sources

    def stage(self, stage: Stage, sources: list[str], level: int) -> tuple[Box | Frame, list[str]]:
        """A layer as a box and a block as a frame, or folded to a box."""
        identity = "n_" + stage.name.replace(".", "__")
        is_open = self.depth is None or level < self.depth
        if isinstance(stage.layer, Block) and is_open:
            items, ends = self.ways(stage, stage.layer, sources, level + 1)
            if _is_joined(stage.layer, ends):
                join = Box(f"{identity}__join", _joining(stage.layer), _times(stage.output), "join")
                items, ends = [*items, join], self.arrive(join.identity, ends)
            return Frame(identity, stage.short_name, items), ends
        ends = self.arrive(identity, sources)
        family = type(stage.layer).__module__.rpartition(".")[2]
        box = Box(identity, stage.short_name, _times(stage.output), family)
        is_aside = isinstance(stage.layer, Block) and stage.layer.is_aside
        return box, sources if is_aside else ends

    def arrive(self, identity: str, sources: list[str]) -> list[str]:
        """Draw the arrows to a box, from which the next ones start."""
        self.arrows += [(source, identity) for source in dict.fromkeys(sources)]
        return [identity]

    def ways(
        self, stage: Stage, block: Block, sources: list[str], level: int
    ) -> tuple[list[Box | Frame], list[str]]:
        """What is in a block, and what the arrows behind it start from."""
        items: list[Box | Frame] = []
        ends: list[list[str]] = []
        for index, way in enumerate(stage.ways):
            start = [end for taken in block.taken(index, sources, ends) for end in taken]
            inside, end = self.chain(way.stages, start, level)
            items += _framed(stage, way, inside)
            ends.append(end)
        return items, [end for given in block.given(sources, ends) for end in given]


def _framed(stage: Stage, way: Way, items: list[Box | Frame]) -> list[Box | Frame]:
    """What is in a way, with a frame where the user has named it, as heads are."""
    is_named = isinstance(stage.layer, Branches) and isinstance(stage.layer.ways, dict)
    if not (is_named and items):
        return items
    identity = "n_" + f"{stage.name}.{way.name}".replace(".", "__") + "__way"
    return [Frame(identity, way.name, items)]


def _is_joined(block: Block, ends: list[str]) -> bool:
    """Whether several ways end in a block, so that it takes a box to join them."""
    return len(set(ends)) > 1 and not (block.keeps_all or block.is_aside)


def _joining(block: Block) -> str:
    return block.join if isinstance(block, Branches) else "add"
