"""A sheet as a PNG: titled rows and columns of pictures with captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from cnnctl.drawing.cells import INK
from cnnctl.drawing.lettering import FONT, shortened, wrapped

MARGIN, GAP, LINE = 16, 8, 16
"""Around the sheet, between cells, and for a line of text, in pixels."""
LEAST_COLUMN, LEAST_WIDTH = 96, 480


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with the lines below it."""

    image: Image.Image | None
    """None where there is nothing to show but the captions."""
    captions: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, without the captions."""
        return self.image.size if self.image else (0, 0)


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures side by side, and a line above them."""

    pictures: Sequence[Picture]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of pictures below the titles of their columns.

    A column is as wide as its widest picture, and a row as high as its highest; texts are shortened
    to the width that they have. All of them must be drawable (see `lettering`).
    """

    rows: Sequence[Row]
    columns: Sequence[str] = ()
    """The titles of the columns; none for rows that have no columns in common."""
    head: Sequence[str] = ()
    """Texts above everything: what is shown, and on what scale; broken into lines."""

    @property
    def width(self) -> int:
        """Width between the margins."""
        widths = self._widths
        return max(sum(widths) + GAP * (len(widths) - 1), LEAST_WIDTH - 2 * MARGIN)

    @property
    def height(self) -> int:
        """Height between the margins."""
        last = len(self.rows) - 1
        return self._top(last) + self._height(last) - MARGIN

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """The upper left corner of a picture."""
        return MARGIN + sum(self._widths[:column]) + GAP * column, self._top(row)

    @property
    def _widths(self) -> list[int]:
        """The width of each column."""
        count = max(len(row.pictures) for row in self.rows)
        return [
            max(
                LEAST_COLUMN,
                *(row.pictures[column].size[0] for row in self.rows if column < len(row.pictures)),
            )
            for column in range(count)
        ]

    @property
    def _lines(self) -> list[str]:
        """The head in lines."""
        return [line for text in self.head for line in wrapped(text, width=self.width)]

    def _top(self, row: int) -> int:
        """Where the pictures of a row begin, below its title."""
        lines = len(self._lines) + bool(self.columns)
        above = [self._height(number) + GAP for number in range(row)]
        titles = sum(bool(each.title) for each in self.rows[: row + 1])
        return MARGIN + LINE * (lines + titles) + sum(above)

    def _height(self, row: int) -> int:
        """The height of the pictures of a row with their captions."""
        return max(each.size[1] + LINE * len(each.captions) for each in self.rows[row].pictures)

    def texts(self) -> Iterator[tuple[tuple[int, int], str, int]]:
        """Every text with its upper left corner and its width."""
        for number, line in enumerate(self._lines):
            yield (MARGIN, MARGIN + LINE * number), line, self.width
        for number, title in enumerate(self.columns):
            x, _ = self.corner(0, number)
            yield (x, MARGIN + LINE * len(self._lines)), title, self._widths[number]
        for number, row in enumerate(self.rows):
            yield (MARGIN, self._top(number) - LINE), row.title, self.width
            for column, picture in enumerate(row.pictures):
                x, y = self.corner(number, column)
                for below, caption in enumerate(picture.captions):
                    top = y + picture.size[1] + LINE * below
                    yield (x, top), caption, self._widths[column]


def draw(sheet: Sheet, *, foot: Image.Image | None = None) -> bytes:
    """Draw a sheet as a PNG, with a picture at its foot if there is one."""
    below = GAP + foot.height if foot else 0
    size = sheet.width + 2 * MARGIN, sheet.height + below + 2 * MARGIN
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for corner, text, width in sheet.texts():
        pen.text(corner, shortened(text, width=width), fill=INK, font=FONT)
    for number, row in enumerate(sheet.rows):
        for column, picture in enumerate(row.pictures):
            if picture.image:
                canvas.paste(picture.image, sheet.corner(number, column))
    if foot:
        canvas.paste(foot, (MARGIN, MARGIN + sheet.height + GAP))
    content = BytesIO()
    canvas.save(content, format="PNG")
    return content.getvalue()
