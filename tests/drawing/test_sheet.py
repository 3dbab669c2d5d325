"""Everything on a sheet has its place: nothing lies over anything else, or beyond the edges."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations

from PIL import Image

from cnnctl.drawing.lettering import FONT, shortened
from cnnctl.drawing.naming import Naming
from cnnctl.drawing.sheet import GAP, LINE, MARGIN, Picture, Row, Sheet, draw

Box = tuple[float, float, float, float]


def picture(width: int, height: int, colour: str, *captions: str) -> Picture:
    return Picture(Image.new("RGB", (width, height), colour), captions)


SHEET = Sheet(
    rows=[
        Row([picture(100, 40, "#aa0000", "cat", "90 %"), picture(60, 50, "#00aa00", "map")]),
        Row([picture(100, 40, "#0000aa"), Picture(None, ("not drawn",))], "a title " * 40),
        Row([picture(30, 20, "#aaaa00", "a caption that is far too long for its column")]),
    ],
    columns=["input", "overlay"],
    head=["what is shown", "on what scale"],
)


def read(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content)).convert("RGB")


def boxes(sheet: Sheet) -> list[Box]:
    """Where the pictures and texts are."""
    found: list[Box] = []
    for number, row in enumerate(sheet.rows):
        for column, each in enumerate(row.pictures):
            x, y = sheet.corner(number, column)
            found.append((x, y, x + each.size[0], y + each.size[1]))
    for (x, y), text, width in sheet.texts():
        if text:
            found.append((x, y, x + FONT.getlength(shortened(text, width=width)), y + LINE))
    return [box for box in found if box[2] > box[0]]


def is_apart(one: Box, other: Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_pictures_and_texts_are_apart_and_inside() -> None:
    drawn, found = read(draw(SHEET)), boxes(SHEET)
    assert len(found) == 4 + 2 + 2 + 1 + 5
    assert not [pair for pair in combinations(found, 2) if not is_apart(*pair)]
    assert max(box[2] for box in found) <= drawn.width - MARGIN
    assert max(box[3] for box in found) == drawn.height - MARGIN


def test_pictures_are_where_they_are_said_to_be() -> None:
    drawn = read(draw(SHEET))
    for number, row in enumerate(SHEET.rows):
        for column, each in enumerate(row.pictures):
            if each.image:
                x, y = SHEET.corner(number, column)
                shown = drawn.crop((x, y, x + each.size[0], y + each.size[1]))
                assert shown.tobytes() == each.image.tobytes()


def test_a_foot_is_below_everything() -> None:
    foot = Image.new("RGB", (SHEET.width, 30), "#123456")
    plain, drawn = read(draw(SHEET)), read(draw(SHEET, foot=foot))
    assert drawn.size == (plain.width, plain.height + GAP + 30)
    assert drawn.getpixel((MARGIN, plain.height - MARGIN + GAP)) == (0x12, 0x34, 0x56)


def test_names_that_the_font_lacks_become_numbers_with_a_legend() -> None:
    naming = Naming()
    assert naming.shown("cat", number=0) == "cat"
    assert naming.shown("кот", number=1) == "#1"
    assert naming.shown("пёс", number=1, of="kind") == "#1"
    assert naming.described() == "#1 кот, kind #1 пёс"
