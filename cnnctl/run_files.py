"""Reads the text files of a run folder, whatever they contain; does not import torch."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

from cnnctl.config.parsing import parse
from cnnctl.errors import FaultError, storage_fault
from cnnctl.paths import inside
from cnnctl.storage import read_regular, reading_cure

EpochMetrics = dict[str, Any]

MAX_METRICS = 1 << 30
"""Size limit of a metrics.jsonl, in bytes."""
MAX_WATCH = 1 << 26
"""Size limit of a watch.jsonl, in bytes; a training writes no more."""
MAX_TEXT = 1 << 24
"""Size limit of other text files, in bytes."""
OVERRIDES = "# overrides: "
"""Start of the first line of a config.source.yaml if the run had overrides."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The lines of a metrics.jsonl."""

    rows: list[EpochMetrics]
    damaged: int = 0
    """Number of invalid lines, not counting one truncated by a crash."""


def read_metrics(run: Path) -> Metrics:
    """Read the metrics of a run, by epoch.

    Raises:
        FaultError: the file cannot be read (exit code 6).
    """
    # every complete line ends in a newline, so anything after the last one is truncated
    lines = (_read(run, "metrics.jsonl", limit=MAX_METRICS) or b"").split(b"\n")[:-1]
    rows = [row for row in map(_row, lines) if row is not None]
    return Metrics(rows, damaged=len(lines) - len(rows))


def _row(line: bytes) -> EpochMetrics | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # not JSON, or not even UTF-8
        return None
    if not isinstance(row, dict) or type(row.get("epoch")) is not int:
        return None
    return row if all(isinstance(value, int | float) for value in row.values()) else None


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """What a training recorded of its layers at one step; a line of watch.jsonl."""

    step: int
    """The optimizer step, counted from 1."""
    epoch: int
    """The epoch, counted from 1, that it is part of."""
    layers: dict[str, dict[str, float]]
    """Figures by name, for each layer by name; infinite where one is not finite."""

    def line(self) -> bytes:
        """The record as a line of JSON, with six significant digits."""
        layers = {
            layer: {name: _rounded(value) for name, value in figures.items()}
            for layer, figures in self.layers.items()
        }
        record = {"step": self.step, "epoch": self.epoch, "layers": layers}
        return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if isfinite(value) else None


@dataclass(frozen=True, slots=True)
class LayerRecords:
    """The lines of a watch.jsonl."""

    records: list[LayerRecord]
    """By step; empty if the training was not watched."""
    damaged: int = 0
    """Number of invalid lines, not counting one truncated by a crash."""


def read_watch(run: Path) -> LayerRecords:
    """Read what a run with `train.watch` recorded of its layers.

    Raises:
        FaultError: the file cannot be read (exit code 6).
    """
    lines = (_read(run, "watch.jsonl", limit=MAX_WATCH) or b"").split(b"\n")[:-1]
    records = [record for record in map(_record, lines) if record is not None]
    return LayerRecords(records, damaged=len(lines) - len(records))


def _record(line: bytes) -> LayerRecord | None:
    try:
        match json.loads(line):
            case {"step": int(step), "epoch": int(epoch), "layers": dict(layers)}:
                rows = {layer: _figures(row) for layer, row in layers.items()}
                return LayerRecord(step, epoch, rows)
    except (ValueError, RecursionError, OverflowError):  # not JSON, or a figure that is no number
        pass
    return None


def _figures(row: Any) -> dict[str, float]:
    if not isinstance(row, dict):
        raise ValueError
    if not all(value is None or isinstance(value, int | float) for value in row.values()):
        raise ValueError
    return {name: inf if value is None else float(value) for name, value in row.items()}


def read_result(run: Path) -> dict[str, Any]:
    """Read the result.json of a run; None while it is active or if it was killed.

    Raises:
        FaultError: the file cannot be read (exit code 6).
    """
    return _object(run, "result.json")


def read_environment(run: Path) -> dict[str, Any]:
    """Read the environment.json of a run; empty if there is none.

    Raises:
        FaultError: the file cannot be read (exit code 6).
    """
    return _object(run, "environment.json")


def _object(run: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(_read(run, name) or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_config(run: Path) -> Any:
    """The experiment of a run as plain data, unchecked.

    Raises:
        FaultError: it cannot be read, or is not YAML.
    """
    content = _read(run, "config.yaml") or b""
    return parse(content.decode(errors="replace"), origin=str(run / "config.yaml")).plain()


def read_overrides(run: Path) -> list[str]:
    """The overrides that a run was started with.

    Raises:
        FaultError: the file cannot be read (exit code 6).
    """
    content = _read(run, "config.source.yaml") or b""
    first = content.partition(b"\n")[0].decode(errors="replace")
    if not first.startswith(OVERRIDES):
        return []
    try:
        return shlex.split(first.removeprefix(OVERRIDES))
    except ValueError:  # an unclosed quote
        return []


def is_in_use(run: Path) -> bool:
    """Whether a training holds the folder's lock; false if the system cannot tell."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        handle = os.open(inside(run, ".lock"), os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)  # which releases the lock
    return False


def _read(run: Path, name: str, *, limit: int = MAX_TEXT) -> bytes | None:
    """The content of a file in a run folder; None if it does not exist."""
    try:
        return read_regular(inside(run, name), limit=limit)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(run / name, error) from None


def _unreadable(path: Path, error: OSError) -> FaultError:
    reason = f"cannot be read: {error.strerror}"
    return storage_fault(reason, hint=reading_cure(error), place=str(path))
