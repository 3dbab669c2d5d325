"""A network drawn: a flowchart in the language of Mermaid, which GitHub shows as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cnnctl.errors import config_fault
from cnnctl.model.block import Block, Stage
from cnnctl.model.network import Plan
from cnnctl.storage import write_atomically

INPUT = "n_input"


def draw(plan: Plan, path: Path) -> None:
    """Write the drawing of a network.

    Raises:
        FaultError: the file's suffix is not .mmd, or it cannot be written.
    """
    if path.suffix != ".mmd":
        message = f"{path.name} names no kind of drawing that is known"
        raise config_fault(message, cure="name a .mmd file, for Mermaid")
    write_atomically(path, to_mermaid(plan).encode())


def to_mermaid(plan: Plan) -> str:
    """The network as a flowchart; blocks are frames around what is in them."""
    drawing = _Drawing()
    drawing.chain(plan.stages, [INPUT])
    first = f'    {INPUT}(["input {_times(plan.input)}"])'
    return "\n".join(["flowchart TD", first, *drawing.lines, *drawing.arrows, ""])


def _times(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


class _Drawing:
    """Boxes and frames as they come, and the arrows between them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrows: list[str] = []

    def chain(self, stages: Sequence[Stage], sources: list[str]) -> list[str]:
        """Draw stages one after the other; what the arrows to the next one start from."""
        for stage in stages:
            sources = self.stage(stage, sources)
        return sources

    def stage(self, stage: Stage, sources: list[str]) -> list[str]:
        """Draw a layer as a box and a block as a frame."""
        identity = "n_" + stage.name.replace(".", "_")
        if isinstance(stage.layer, Block):
            self.lines.append(f'    subgraph {identity}["{stage.short_name}"]')
            ends = self.ways(stage, stage.layer, sources)
            self.lines.append("    end")
            return ends
        self.lines.append(f'    {identity}["{stage.short_name}<br>{_times(stage.output)}"]')
        self.arrows += [f"    {source} --> {identity}" for source in dict.fromkeys(sources)]
        return [identity]

    def ways(self, stage: Stage, block: Block, sources: list[str]) -> list[str]:
        """Draw what is in a block."""
        ends: list[list[str]] = []
        for index, way in enumerate(stage.ways):
            feeding = [end for n in _feeding(block, index) for end in ends[n]]
            start = [*sources, *feeding] if block.keeps_all else feeding or sources
            ends.append(self.chain(way.stages, start))
        if block.keeps_all:
            return [*sources, *(end for way in ends for end in way)]
        last = range(len(ends))
        open_ends = (n for n in last if not any(n in _feeding(block, m) for m in last))
        return [end for n in open_ends for end in ends[n]]


def _feeding(block: Block, index: int) -> Iterator[int]:
    """The ways whose output a way gets."""
    return (n for n in range(index) if block.feeds(n, index))
