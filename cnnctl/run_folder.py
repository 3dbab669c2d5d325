"""All reading and writing of paths inside runs/NAME."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnnctl.checkpoint import Checkpoint, save
from cnnctl.config.writing import dump
from cnnctl.errors import ExitCode, Fault, FaultError
from cnnctl.interruption import forget, unbroken, undo_at_signal
from cnnctl.paths import inside, is_folder
from cnnctl.run_files import EpochMetrics, read_metrics, read_watch
from cnnctl.snapshots import SNAPSHOTS, snapshot_name, snapshots_of
from cnnctl.storage import (
    append,
    append_unsynced,
    remove_temporary_files,
    storing,
    write_atomically,
)

PROFILE = "profile"
"""The folder of traces."""
LOCK_SECONDS = 0.5
"""How long to wait for the lock; `cnnctl runs` holds it for a moment."""


@dataclass(slots=True)
class RunFolder:
    """The folder of one run. The writer holds its lock for the life of the run."""

    path: Path
    _lock: FileLock = field(compare=False, repr=False)
    _is_empty: bool = field(default=False, compare=False, repr=False)
    """Whether it was created for this run, and nothing has been saved in it yet."""

    @property
    def last(self) -> Path:
        """The checkpoint that a run is resumed from."""
        return self.path / "checkpoints" / "last.safetensors"

    @property
    def best(self) -> Path:
        """The best weights so far."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def tensorboard(self) -> Path:
        """The folder of the event files."""
        return self.path / "tensorboard"

    @property
    def metrics(self) -> Path:
        """One line of JSON per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def watch(self) -> Path:
        """One line of JSON per step that was recorded of the layers."""
        return self.path / "watch.jsonl"

    def own(self, *names: str) -> Path:
        """The path of these names in the folder.

        Raises:
            FaultError: one of them is a link (exit code 6).
        """
        with storing(self.path):
            return inside(self.path, *names)

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint that the run is resumed from."""
        save(checkpoint, self.own("checkpoints", "last.safetensors"))
        self._is_empty = False

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Replace the best checkpoint."""
        save(checkpoint, self.own("checkpoints", "best.safetensors"))
        self._is_empty = False

    def save_snapshot(self, checkpoint: Checkpoint, *, epoch: int) -> None:
        """Keep the weights after so many epochs."""
        path = self.own(SNAPSHOTS, snapshot_name(epoch))
        with storing(path):
            path.parent.mkdir(exist_ok=True)
        save(checkpoint, path)

    def keep_snapshots(self, *, through_epoch: int) -> None:
        """Drop the snapshots of epochs that a resumed run will repeat."""
        for epoch, path in snapshots_of(self.path).items():
            if epoch > through_epoch:
                with storing(path):
                    path.unlink()

    def write_config(self, experiment: dict[str, Any]) -> None:
        """Write the experiment with all automatic choices filled in."""
        write_atomically(self.own("config.yaml"), dump(experiment).encode())

    def write_source(self, text: str) -> None:
        """Write the original file, and the overrides."""
        write_atomically(self.own("config.source.yaml"), text.encode())

    def write_environment(self, facts: dict[str, Any]) -> None:
        """Write versions, hardware, command and git commit."""
        content = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.own("environment.json"), content.encode(errors="backslashreplace"))

    def append_metrics(self, row: EpochMetrics) -> None:
        """Add the line of one epoch."""
        # synced at once: the checkpoint that follows must not outlive it
        line = json.dumps(row, ensure_ascii=False) + "\n"
        append(self.own("metrics.jsonl"), line.encode())

    def keep_metrics(self, *, through_epoch: int) -> int:
        """Drop the lines of epochs that a resumed run will repeat, and damaged ones.

        Returns how many were damaged.
        """
        metrics = read_metrics(self.path)
        rows = [row for row in metrics.rows if row["epoch"] <= through_epoch]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomically(self.own("metrics.jsonl"), text.encode(errors="backslashreplace"))
        return metrics.damaged

    def append_watch(self, lines: Iterable[bytes]) -> None:
        """Add lines about the layers; without a sync, as they must not slow down small networks."""
        append_unsynced(self.own("watch.jsonl"), b"".join(lines))

    def keep_watch(self, *, through_step: int) -> int:
        """Drop the lines of steps that a resumed run will repeat, and damaged ones.

        Returns how many were damaged.
        """
        watch = read_watch(self.path)
        kept = (record.line() for record in watch.records if record.step <= through_step)
        write_atomically(self.own("watch.jsonl"), *kept)
        return watch.damaged

    def write_profile(self, trace: bytes, *, steps: tuple[int, int]) -> Path:
        """Write a trace of the first to the last of these steps; returns its path."""
        # TensorBoard's plugin torch-tb-profiler looks for this suffix
        path = self.own(PROFILE, f"steps-{steps[0]}-{steps[1]}.pt.trace.json.gz")
        with storing(path):
            path.parent.mkdir(exist_ok=True)
        write_atomically(path, trace)
        return path

    def write_result(self, result: dict[str, Any]) -> None:
        """Write how the run ended."""
        content = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.own("result.json"), content.encode(errors="backslashreplace"))

    def remove_result(self) -> None:
        """Remove the previous result, since the run continues."""
        path = self.own("result.json")
        with storing(path):
            path.unlink(missing_ok=True)

    @unbroken()
    def close(self) -> None:
        """Release the lock; a new folder is removed if nothing was saved in it."""
        forget(self.close)
        # a signal may arrive after a file was written, before that is recorded
        if self._is_empty and not (self.last.exists() or self.best.exists()):
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


@unbroken()
def create(runs: Path, name: str) -> RunFolder:
    """Create and lock `runs/NAME`, or `NAME-2`, `NAME-3`, … if that is taken.

    A signal that ends the program closes the folder first.

    Raises:
        FaultError: the folder cannot be created (exit code 6).
    """
    number = 1
    with storing(runs):
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            path = runs / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()  # fails if another run has taken it in the meantime
                break
            except FileExistsError:
                number += 1
        try:
            (path / "checkpoints").mkdir()
            folder = reopen(path)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
    folder._is_empty = True
    undo_at_signal(folder.close)
    return folder


def reopen(path: Path) -> RunFolder:
    """Lock an existing run folder.

    Raises:
        FaultError: another run is writing to it (exit code 5), or it cannot be written to (6).
    """
    with storing(path):
        lock = FileLock(inside(path, ".lock"))
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:  # which is an OSError, too
            raise _in_use(path) from None
        for folder in (
            path,
            inside(path, "checkpoints"),
            inside(path, SNAPSHOTS),
            inside(path, PROFILE),
        ):
            if is_folder(folder):
                remove_temporary_files(folder)
    return RunFolder(path, lock)


def written_elsewhere(path: Path) -> RunFolder:
    """The folder of a run that another process locks and writes."""
    return RunFolder(path, FileLock(path / ".lock"))


def _in_use(path: Path) -> FaultError:
    hint = "wait for it, stop it, or start a new run"
    fault = Fault(message="is in use by another run", hint=hint, place=str(path))
    return FaultError(fault, exit_code=ExitCode.IN_USE)
