"""The table of the terminal, and the environment that its figures were measured in."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.training_speed.contending import BY_HAND, Measured

PACKAGES = ("cnnctl", "torch", "torchvision", "lightning", "keras", "skorch", "numpy")
COLUMNS = ("images/s", "/ plain", "/ best", "MiB", "first step")
Row = dict[str, float | None]


def median(found: Sequence[float | None]) -> float | None:
    known = [each for each in found if each is not None]
    return statistics.median(known) if known else None


def rows_of(measured: Mapping[str, Sequence[Measured]]) -> dict[str, Row]:
    """The medians of each contender over its rounds, and its speed over that of loops by hand."""
    speeds = {
        name: statistics.median(each.images_per_second for each in found)
        for name, found in measured.items()
    }
    plain = speeds.get("plain")
    best = max((speeds[name] for name in BY_HAND if name in speeds), default=None)
    return {
        name: {
            "images_per_second": speeds[name],
            "over_plain": speeds[name] / plain if plain else None,
            "over_best_by_hand": speeds[name] / best if best else None,
            "peak_mib": median([each.peak_mib for each in found]),
            "seconds_to_first_step": median([each.seconds_to_first_step for each in found]),
            "load": median([each.load for each in found]),
        }
        for name, found in measured.items()
    }


def table(model: str, batch_size: int, rows: Mapping[str, Row]) -> str:
    """One line for each contender."""
    loads = [row["load"] for row in rows.values() if row["load"] is not None]
    head = f"{model}, batch {batch_size} (load {min(loads):.1f} to {max(loads):.1f})"
    lines = [head, f"  {'':14}" + "".join(f"{column:>12}" for column in COLUMNS)]
    for name, row in rows.items():
        cells = (
            figure(row["images_per_second"], ",.0f"),
            figure(row["over_plain"], ".2f", "x"),
            figure(row["over_best_by_hand"], ".2f", "x"),
            figure(row["peak_mib"], ",.0f"),
            figure(row["seconds_to_first_step"], ".1f", " s"),
        )
        lines.append(f"  {name:14}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def figure(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def environment() -> dict[str, object]:
    """The machine and the versions, as far as they are known."""
    versions = {package: version_of(package) for package in PACKAGES}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "load": os.getloadavg(),
    }


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
