"""Out of memory: the largest batch that fits, estimated, and tried under a real limit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.experiment import Loaded, load
from cnnctl.inspection.report import report_on
from cnnctl.training.memory import BUFFERS, largest_batch
from tests.conftest import environment

CNN = """\
data: {name: digits, size: 28, batch_size: 1200}
model: {layers: [{conv: {out_channels: 32, kernel_size: 3}}, relu, flatten, linear: classes]}
optimizer: {name: sgd, lr: 0.01, momentum: 0.9}
train:
  {epochs: 1, device: cpu, threads: 1, compile: false, precision: fp32, micro_batch_size: null}
"""
TRAIN = """\
import resource, sys
from pathlib import Path
import torch
from cnnctl.errors import FaultError
from cnnctl.experiment import load
from cnnctl.training.memory import OWN, _status
from cnnctl.training.setup import set_up
from cnnctl.training.training import Training
from cnnctl.verification.memory import load_libraries

setup = set_up(load(Path(sys.argv[1]), sys.argv[2:]))
load_libraries(setup.device)
limit = _status(OWN)["VmSize"] + 250 * 10**6
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with setup.memory_faults():
        training = Training.of(setup)
        training.begin()
        training.fit()
except FaultError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cnn.yaml"
    path.write_text(CNN, encoding="utf-8")
    return path


def needed(loaded: Loaded, batch_size: int) -> int:
    """Bytes for a batch: what is there once, and the buffers of the activations."""
    memory = report_on(loaded, batch_size=batch_size).memory
    assert memory is not None
    return memory.total + (BUFFERS - 1) * memory.activations


@pytest.mark.parametrize("megabytes", [20, 100, 1000])
def test_the_largest_batch_fits_and_twice_as_many_samples_do_not(
    file: Path, megabytes: int
) -> None:
    loaded, room = load(file), megabytes * 10**6
    found = largest_batch(loaded, room=room)
    assert found is not None
    assert needed(loaded, found) <= room < needed(loaded, 2 * found)


def test_no_batch_fits_beside_weights_that_fill_the_memory(file: Path) -> None:
    loaded = load(file)
    assert largest_batch(loaded, room=needed(loaded, 1) - 1) is None


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much is left")
def test_the_batch_size_that_is_named_fits_under_the_same_limit(file: Path) -> None:
    def train(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", TRAIN, str(file), *words]
        return subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=False
        )

    failed = train()
    assert failed.returncode == 8, failed.stderr
    named = re.match(
        r"out of memory on cpu with data\.batch_size=1200; (\d+) would fit\n"
        r"    use data\.batch_size=\1, smaller images or a smaller network",
        failed.stdout,
    )
    assert named, failed.stdout
    done = train(f"data.batch_size={named[1]}")
    assert done.returncode == 0, done.stdout + done.stderr
