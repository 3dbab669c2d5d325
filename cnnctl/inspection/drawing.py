"""What is drawn of a network: boxes for layers, frames around blocks, and arrows between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnctl.model.block import Block, Branch, PlannedLayer
from cnnctl.model.network import NetworkPlan

INPUT = "n_input"


@dataclass(frozen=True, slots=True)
class Box:
    """A layer, a block that is folded, or a place where branches are joined."""

    identity: str
    title: str
    detail: str
    """The shape that comes out."""
    family: str
    """What it is for: convolution, normalization, activations, …; `join` where branches meet."""


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


def drawing_of(plan: NetworkPlan, *, depth: int | None = None) -> Drawing:
    """The network with its blocks open down to a depth, from 1; all of them where none is given."""
    first = Box(INPUT, "input", _times(plan.input), "input")
    pencil = _Pencil(depth)
    items, _ = pencil.chain(plan.layers, [INPUT], 1)
    return Drawing([first, *items], pencil.arrows)


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


class _Pencil:
    """Walks the tree of layers; keeps the arrows."""

    def __init__(self, depth: int | None) -> None:
        self.depth = depth
        self.arrows: list[tuple[str, str]] = []

    def chain(
        self, layers: Sequence[PlannedLayer], sources: list[str], level: int
    ) -> tuple[list[Box | Frame], list[str]]:
        """Stages one after the other, and what the arrows behind them start from."""
        items: list[Box | Frame] = []
        for planned in layers:
            item, sources = self.planned(planned, sources, level)
            items.append(item)
        return items, sources

    def planned(
        self, planned: PlannedLayer, sources: list[str], level: int
    ) -> tuple[Box | Frame, list[str]]:
        """A layer as a box and a block as a frame, or folded to a box."""
        identity = "n_" + planned.name.replace(".", "__")
        is_open = self.depth is None or level < self.depth
        if isinstance(planned.layer, Block) and is_open:
            items, ends = self.branches(planned, planned.layer, sources, level + 1)
            if _is_joined(planned.layer, ends):
                joining, shape = planned.layer.joining, _times(planned.output)
                join = Box(f"{identity}__join", joining, shape, "join")
                items, ends = [*items, join], self.arrive(join.identity, ends)
            return Frame(identity, planned.short_name, items), ends
        ends = self.arrive(identity, sources)
        box = Box(identity, planned.short_name, _times(planned.output), planned.layer.role)
        is_aside = isinstance(planned.layer, Block) and planned.layer.is_aside
        return box, sources if is_aside else ends

    def arrive(self, identity: str, sources: list[str]) -> list[str]:
        """Draw the arrows to a box, from which the next ones start."""
        self.arrows += [(source, identity) for source in dict.fromkeys(sources)]
        return [identity]

    def branches(
        self, planned: PlannedLayer, block: Block, sources: list[str], level: int
    ) -> tuple[list[Box | Frame], list[str]]:
        """What is in a block, and what the arrows behind it start from."""
        items: list[Box | Frame] = []
        ends: list[list[str]] = []
        for index, branch in enumerate(planned.branches):
            start = [end for taken in block.taken(index, sources, ends) for end in taken]
            inside, end = self.chain(branch.layers, start, level)
            items += _framed(planned, block, branch, inside)
            ends.append(end)
        return items, [end for given in block.given(sources, ends) for end in given]


def _framed(
    planned: PlannedLayer, block: Block, branch: Branch, items: list[Box | Frame]
) -> list[Box | Frame]:
    """What is in a way, with a frame where the user has named it, as heads are."""
    if not (block.names_its_branches and items):
        return items
    identity = "n_" + f"{planned.name}.{branch.name}".replace(".", "__") + "__way"
    return [Frame(identity, branch.name, items)]


def _is_joined(block: Block, ends: list[str]) -> bool:
    """Whether several branches end in a block, so that it takes a box to join them."""
    return len(set(ends)) > 1 and not (block.keeps_all or block.is_aside)
