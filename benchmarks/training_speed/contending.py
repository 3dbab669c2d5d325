"""The contenders by name, and the process that one of them trains in."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.training_speed.task import Task, Watch, peak_mib

FOLDER = "benchmarks.training_speed.contenders"


@dataclass(frozen=True)
class Contender:
    """A training function, and what it needs."""

    module: str
    function: str = "train"
    package: str | None = None
    """One that cnnctl itself does not need."""

    @property
    def missing(self) -> str | None:
        """The package that has to be installed first."""
        return self.package if self.package and not find_spec(self.package) else None


CONTENDERS = {
    "cnnctl": Contender("cnnctl_train"),
    "plain": Contender("by_hand", "plain"),
    "fused": Contender("by_hand", "fused"),
    "channels_last": Contender("by_hand", "channels_last"),
    "bf16": Contender("by_hand", "bf16"),
    "example": Contender("mnist_example"),
    "torchvision": Contender("torchvision_reference"),
    "lightning": Contender("lightning_fit", package="lightning"),
    "keras": Contender("keras_fit", package="keras"),
    "skorch": Contender("skorch_fit", package="skorch"),
}
BY_HAND = [name for name, each in CONTENDERS.items() if each.module == "by_hand"]


@dataclass(frozen=True)
class Measured:
    """What was found out about one training."""

    images_per_second: float
    """In the fastest epoch after the first, in which there is more to do than training."""
    peak_mib: float
    seconds_to_first_step: float | None
    """From the start of its process."""
    load: float
    """Processes that were waiting for a core, on average over the minute before it."""


def contend(name: str, task: Task, load: float) -> Measured:
    """Train in a process of its own; what it prints is shown if it fails."""
    words = asdict(task) | {"file": str(task.file), "contender": name, "started": time.time()}
    command = [sys.executable, "-m", __spec__.name, json.dumps(words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed\n{done.stdout}{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Measured(load=load, **found)


def train_here(words: dict[str, Any]) -> dict[str, float | None]:
    """Train in this process."""
    chosen, watch = CONTENDERS[words.pop("contender")], Watch(words.pop("started"))
    words |= {"file": Path(words["file"]), "options": tuple(words["options"])}
    getattr(import_module(f"{FOLDER}.{chosen.module}"), chosen.function)(Task(**words), watch)
    return {
        "images_per_second": max(watch.speeds[1:]),
        "peak_mib": peak_mib(),
        "seconds_to_first_step": watch.first_step,
    }


if __name__ == "__main__":
    print(f"\n{json.dumps(train_here(json.loads(sys.argv[1])))}")
