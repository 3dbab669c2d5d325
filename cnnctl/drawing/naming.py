"""Names on a sheet: as they are where the font has them, as numbers with a legend elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnctl.drawing.lettering import is_drawable


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

    def described(self) -> str:
        """The legend as text: `#1 кот, #2 пёс`."""
        return ", ".join(f"{number} {name}" for number, name in self.legend.items())
