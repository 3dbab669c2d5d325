"""Shards of pictures of noise, in the layout of WebDataset."""

import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, *, side: int = 8) -> bytes:
    """A .png file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    target = BytesIO()
    Image.fromarray(pixels).save(target, format="png")
    return target.getvalue()


def write_tar(file: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """An archive of these files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return file


def write_shards(folder: Path, names: Iterable[str], *, samples: int = 10) -> Path:
    """Shards with so many samples each, of two classes in turn."""
    for number, name in enumerate(names):
        first = number * samples
        members: list[tuple[str, bytes]] = []
        for at in range(first, first + samples):
            members += [(f"{at:06}.png", picture(at)), (f"{at:06}.cls", b"%d" % (at % 2))]
        write_tar(folder / name, members)
    return folder
