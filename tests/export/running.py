"""Originals of small networks, and what runs their exports within the process of the tests."""

from __future__ import annotations

from pathlib import Path

from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import Original, open_original
from tests.examples import published


def here(format: Format, file: Path, batches: Batches) -> Results:
    """Run an exported file within this process, a second faster than in a fresh one."""
    return format.run(str(file), batches)


def opened(folder: Path, text: str, *overrides: str) -> Original:
    """The network of an experiment that is written to a file in this folder."""
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    return open_original(folder / "x.yaml", overrides, data_root=folder)


SIDE = 64
LARGER = dict.fromkeys(("alexnet", "zf5", "squeezenet1_0", "squeezenet1_1"), 96)
"""Sides of pictures, smaller ones of which leave nothing to look at."""


def reduced(name: str) -> list[str]:
    """Overrides for a network of the zoo that has small pictures, and few of them."""
    *channels, height, width = published(name).plan.input
    side = LARGER.get(name, SIDE)
    shape = [*channels, min(height, side), min(width, side)]
    return [f"data.shape={shape}", "data.samples=40", "data.batch_size=8"]


def checked(
    original: Original, name: str, folder: Path, wishes: Wishes | None = None, run: Run = here
) -> Checked:
    """The check of a network in this format, run within this process unless told otherwise."""
    chosen, wishes = FORMATS[name], wishes or Wishes()
    file = folder / f"x{chosen.suffix}"
    assert not chosen.misfit(original, wishes)
    for each, content in chosen.contents(original, wishes, file).items():
        (folder / each).write_bytes(content)
    return chosen.check(original, wishes, file, run)
