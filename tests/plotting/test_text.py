"""A landscape as characters."""

from __future__ import annotations

from io import BytesIO, TextIOWrapper

import torch

from cnnctl.console import Screen
from cnnctl.plotting.colours import class_colours
from cnnctl.plotting.landscape import Axis, Landscape, ShownSamples
from cnnctl.plotting.text import LandscapeText

AXES = Axis("across", 0.0, 10.0), Axis("up", 0.0, 10.0)


def landscape(*, classes: tuple[str, ...] = ("cat", "dog\x1b")) -> Landscape:
    """The left half is of the first class, the right of the second, as is one sample of two."""
    second = (torch.arange(8) >= 4).float().expand(8, 8)
    answers = torch.stack([1 - second, second], dim=-1) if classes else second[..., None]
    targets = torch.tensor([0, 1]) if classes else torch.tensor([0.0, 1.0])
    places = torch.tensor([[1.0, 7.0], [2.0, 3.0]])
    samples = ShownSamples(("a", "b"), places, targets, targets)
    return Landscape("halves", AXES, classes, "height", answers, samples, ("2 samples",))


def shown(found: Landscape, *, encoding: str = "ascii", colours: bool = False) -> list[str]:
    content = BytesIO()
    file = TextIOWrapper(content, encoding=encoding, write_through=True)
    system = "truecolor" if colours else None
    console = Screen(file=file, width=24, force_terminal=colours, color_system=system)
    console.print(LandscapeText(found, rows=5))
    return content.getvalue().decode().splitlines()


def test_classes_without_colours_are_letters() -> None:
    assert shown(landscape()) == [
        "halves",
        "up",
        "10 +aaaaaaaaaabbbbbbbbbb",
        "   |aaAaaaaaaabbbbbbbbbb",
        " 5 +aaaaaaaaaabbbbbbbbbb",
        "   |aaaaBaaaaabbbbbbbbbb",
        " 0 +aaaaaaaaaabbbbbbbbbb",
        "   ++---------+--------+",
        "    0         5       10",
        "                  across",
        "a cat   b dog\\x1b",
        "capitals: samples",
        "2 samples",
    ]


def test_a_quantity_without_colours_is_a_ramp() -> None:
    lines = shown(landscape(classes=()))
    assert lines[2] == "10 +          @@@@@@@@@@"
    assert lines[3] == "   |  o       @@@@@@@@@@"
    assert lines[-2] == "height: 0  .:-=+*%@ 1"


def test_regions_on_a_terminal_have_the_colours_of_their_classes() -> None:
    lines = shown(landscape(), encoding="utf-8", colours=True)
    drawn = "\n".join(lines)
    assert drawn.count("●") == 4  # two samples, two classes of the legend
    for colour in class_colours(2):
        region = [round(255 + 0.62 * (each - 255)) for each in colour]
        assert f"48;2;{';'.join(map(str, region))}" in drawn
    assert "\x1b]" not in drawn.replace("\\x1b", "")


def test_without_answers_only_samples_are_drawn() -> None:
    known = landscape()
    alone = Landscape("", AXES, known.classes, "", None, known.samples)
    assert shown(alone)[3].rstrip() == "   |  A"
    assert shown(alone, encoding="utf-8", colours=True)
