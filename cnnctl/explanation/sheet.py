"""An explanation as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image
from torch import Tensor

from cnnctl.drawing import sheet as sheets
from cnnctl.drawing.bars import named_bars
from cnnctl.drawing.cells import Painter, image, painter_of
from cnnctl.drawing.maps import (
    DIVERGING,
    RISING,
    RISING_ON_WHITE,
    Palette,
    Scale,
    overlaid,
    shaded,
    stripes,
    with_scale,
)
from cnnctl.drawing.maps import heat as heat_image
from cnnctl.drawing.naming import Naming
from cnnctl.explanation.explanation import Explanation, HeatMap, Panel, Row

SIDE, SIDE_OF_MANY = 160, 96
"""Pixels, up to which pictures and their maps are enlarged by whole factors."""


def draw(explanation: Explanation, naming: Naming) -> bytes:
    """Draw the sheet, as a PNG; `naming` learns which names the font lacks."""
    return sheets.draw(_Painter(explanation, naming).sheet())


@dataclass(frozen=True)
class _Painter:
    """Paints the panels of an explanation."""

    explanation: Explanation
    naming: Naming

    @cached_property
    def samples(self) -> Painter:
        """Paints samples, on the one scale that they all have."""
        if self.explanation.ndim == 3:
            return self._image
        panels = [panel for row in self.explanation.rows for panel in row.panels]
        return painter_of([panel.sample for panel in panels if panel.sample is not None])

    def sheet(self) -> sheets.Sheet:
        """The sheet."""
        rows = [self._row(row) for row in self.explanation.rows]
        return sheets.Sheet(rows, self.explanation.columns, self._texts(self.explanation.notes))

    def _row(self, row: Row) -> sheets.Row:
        pictures = [
            sheets.Picture(self._painted(panel), self._texts(panel.captions))
            for panel in row.panels
        ]
        return sheets.Row(pictures, self._text(row.title))

    def _texts(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self._text, texts))

    def _text(self, text: str) -> str:
        return self.naming.written(text, self.explanation.names)

    def _painted(self, panel: Panel) -> Image.Image | None:
        sample, heat = panel.sample, panel.heat
        if heat is None:
            return None if sample is None else self.samples(sample)
        if self.explanation.ndim == 1:
            names = [self._text(name) for name in self.explanation.features]
            return named_bars(names, heat.values.tolist(), is_signed=heat.is_signed)
        scale = Scale(heat.limit, self._palette(heat))
        if sample is None:
            alone = self._alone(heat, scale)
            return with_scale(alone, scale) if panel.has_scale else alone
        if self.explanation.ndim == 2:
            return shaded(self.samples(sample), heat.values, scale)
        return self._image(overlaid(sample, heat.values, scale))

    def _palette(self, heat: HeatMap) -> Palette:
        if heat.is_signed:
            return DIVERGING
        return RISING_ON_WHITE if self.explanation.ndim == 2 else RISING

    def _alone(self, heat: HeatMap, scale: Scale) -> Image.Image:
        if self.explanation.ndim == 2:
            return stripes(heat.values, scale)
        return self._image(heat_image(heat.values, scale))

    def _image(self, pixels: Tensor) -> Image.Image:
        return image(pixels, side=SIDE_OF_MANY if self.explanation.has_many else SIDE)
