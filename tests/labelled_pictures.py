"""Tiny pictures with tables, and what `init` proposes for them in the current folder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from tests.conftest import invoke

ROWS = 60


def pictures(folder: str, names: Sequence[str]) -> None:
    """Pictures whose colour follows from their position."""
    random = np.random.default_rng(0)
    for at, name in enumerate(names):
        pixels = random.integers(0, 60, (8, 8, 3)) + np.array([130 * (at % 2), 0, 3 * (at % 60)])
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)


def numbered(count: int = ROWS, *, suffix: str = ".png") -> list[str]:
    return [f"{at:03}{suffix}" for at in range(count)]


def table(file: str, columns: Mapping[str, Sequence[object]]) -> None:
    with Path(file).open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def kinds(count: int = ROWS) -> list[str]:
    return [("cat", "dog")[at % 2] for at in range(count)]


def data_of(file: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(Path(file).read_text(encoding="utf-8"))["data"]
    return data


def proposed(*arguments: str) -> tuple[str, dict[str, Any]]:
    """What `init` prints, and the data section that it writes."""
    Path("x.yaml").unlink(missing_ok=True)
    done = invoke("init", *arguments, "-o", "x.yaml")
    assert done.exit_code == 0, done.output
    assert invoke("check", "x.yaml").stdout == "x.yaml: no problems found\n"
    return done.stdout, data_of("x.yaml")


def refused(*arguments: str) -> tuple[int, str]:
    done = invoke("init", *arguments, "-o", "x.yaml")
    assert not Path("x.yaml").exists()
    return done.exit_code, done.stderr
