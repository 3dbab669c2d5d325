"""Pictures as code: files that Pillow decodes, listed in folders or named by a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnnctl.data.picture_set import PictureSet
from cnnctl.data.pictures.decoding import SUFFIXES
from cnnctl.data.records import Record
from cnnctl.data.sources.image_folder import ImageFolder, common_depth
from cnnctl.data.sources.image_table import ImageTable
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import TargetColumns
from cnnctl.errors import config_fault
from cnnctl.export.training_source.layout import literal
from cnnctl.export.training_source.tables import IMPORTS, row_lines, target_lines

RESIZING = {
    "pad": "ImageOps.pad(image, {}, Image.Resampling.BILINEAR)",
    "crop": "ImageOps.fit(image, {}, Image.Resampling.BILINEAR)",
    "squash": "image.resize({}, Image.Resampling.BILINEAR)",
}
READING = '''
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor


def read_picture(file: Path) -> Tensor:
    """A picture, upright, on white where it is transparent; (C, H, W) uint8."""
    image = ImageOps.exif_transpose(Image.open(file))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = RESIZED
    return torch.from_numpy(np.array(image)).reshape(SHAPE).permute(2, 0, 1)
'''


def folder_source(data: ImageFolder, records: Sequence[Record]) -> str:
    """`read_samples()`, which returns all pictures and their classes."""
    names = [record.entry.name for record in records]
    depth = common_depth(names)
    above = names[0].split("/")[:depth]
    root = " / ".join(["DATA", *map(literal, above)])
    listed = f"({root})" if above else root
    number = 1 if any(record.split for record in records) else 0
    _check_listing(data, names)
    return f'''{_reading(data)}

CLASSES = {literal(data.classes)}
SUFFIXES = {literal(tuple(sorted({Path(name).suffix.lower() for name in names})))}


@cache
def read_samples() -> tuple[Tensor, Tensor]:
    """All pictures, in the order of their names, and their classes."""
    files = [file for file in {listed}.rglob("*") if file.suffix.lower() in SUFFIXES]
    files.sort(key=Path.as_posix)
    names = [file.relative_to({root}).parts[{number}] for file in files]
    classes = torch.tensor([CLASSES.index(name) for name in names])
    return torch.stack([read_picture(file) for file in files]), classes
'''


def _check_listing(data: PictureSet, names: Sequence[str]) -> None:
    """Raise a FaultError where the pictures are not all files of a folder with their suffixes."""
    root = Path(data.path)
    if data.skipped:
        message = "a training script cannot skip pictures"
        raise config_fault(message, hint="remove them, or leave out --training", path=("skipped",))
    if not root.is_dir():
        message = f"a training script cannot read pictures in {root.name}"
        raise config_fault(message, hint="unpack it, or leave out --training", path=("path",))
    suffixes = {Path(name).suffix.lower() for name in names}
    there = (file for file in root.rglob("*") if file.suffix.lower() in suffixes & SUFFIXES)
    if sorted(file.relative_to(root).as_posix() for file in there) != list(names):
        message = "there are pictures that the dataset leaves out, which a script would read"
        raise config_fault(message, hint="remove them, or leave out --training", path=("path",))


def _reading(data: PictureSet) -> str:
    """`read_picture(file)`."""
    form = data.picture_form()
    image = f'image.convert("{form.mode}")'
    resized = RESIZING[form.resize].replace("image,", f"{image},").replace("image.r", f"{image}.r")
    channels, *size = form.shape
    code = READING.replace("SHAPE", ", ".join(map(str, [*size, channels])))
    return code.replace("RESIZED", resized.format(literal(form.size[::-1])))


def picture_table_source(
    data: ImageTable,
    table: Table,
    records: Sequence[Record],
    targets: dict[str, TargetColumns],
    folder: Path,
) -> str:
    """`read_samples()`, which returns the pictures of all rows and their targets.

    Raises:
        FaultError: the pictures are not found by their paths alone.
    """
    cells = table.cells(data.column).values
    named = [record.entry.name for record in records]
    if data.tables or data.skipped or named != [f"{cell}{data.suffix}" for cell in cells]:
        message = "a training script finds pictures by whole paths in one table only"
        raise config_fault(message, hint="write them so, or leave out --training")
    lines = list(row_lines(Path(data.path)))
    suffix = f" + {literal(data.suffix)}" if data.suffix else ""
    lines.append(f"files = [PICTURES / (row[{literal(data.column)}]{suffix}) for row in rows]")
    if not suffix:
        lines[-1] = f"files = [PICTURES / row[{literal(data.column)}] for row in rows]"
    names = [f"target{number}" if number else "target" for number in range(len(targets))]
    for name, kind in zip(names, targets.values(), strict=True):
        lines += target_lines(kind, table, name)
    lines.append("images = torch.stack([read_picture(file) for file in files])")
    lines.append(f"return {', '.join(['images', *names])}")
    body = "\n".join(f"    {line}" for line in lines)
    return f'''{IMPORTS}{_reading(data)}

PICTURES = Path({literal(str(folder))})


@cache
def read_samples() -> tuple[Tensor, ...]:
    """The pictures of all rows of the table, and their targets."""
{body}
'''
