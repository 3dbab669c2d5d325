"""Names on a sheet: as they are where the font has them, as numbers with a legend elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnctl.drawing.lettering import drawable, is_drawable


@dataclass(frozen=True, slots=True)
class Naming:
    """Writes names so that the font of a sheet can draw them."""

    legend: dict[str, str] = field(default_factory=dict)
    """The names that the font lacks, by what was written instead."""

    def shown(self, name: str, *, number: int, of: str = "") -> str:
        """The name, or `#number`; `of` tells apart what has the same numbers, such as tasks."""
        if is_drawable(name):
            return name
        self.legend[f"{of} #{number}".strip()] = name
        return f"#{number}"

    def written(self, text: str, names: Sequence[str]) -> str:
        """A text with `#number` for each of these names that the font lacks, and all drawable."""
        if is_drawable(text):
            return text
        for number, name in sorted(enumerate(names), key=lambda each: -len(each[1])):
            if not is_drawable(name) and name in text:
                text = text.replace(name, self.shown(name, number=number))
        return drawable(text)

    def described(self) -> str:
        """The legend as text: `#1 кот, #2 пёс`."""
        return ", ".join(f"{number} {name}" for number, name in self.legend.items())
