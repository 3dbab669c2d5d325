"""The memory that is foretold is that of a training."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.config.source import Place, from_plain
from cnnctl.data.rows import MappedRows, Rows, TensorRows
from cnnctl.data.samples import Samples, Split, Splits
from cnnctl.experiment import complete
from cnnctl.training.memory import OWN, process_usage
from cnnctl.verification import Verdict, gather
from cnnctl.verification.checks.memory import EnoughMemory
from cnnctl.verification.facts import Facts, Measured
from cnnctl.verification.memory import Meter
from cnnctl.verification.process import StartedProcesses
from tests.conftest import environment

MEGABYTE = 10**6
CPU = torch.device("cpu")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")


@pytest.fixture(autouse=True)
def loaded() -> None:
    """Have torch load what a first step needs, which is not in a test's figures then."""
    Meter(CPU)


def ones(megabytes: int) -> torch.Tensor:
    """So large that the C library gives it back to the system when it is freed."""
    return torch.ones(megabytes * MEGABYTE, dtype=torch.uint8)


def splits_of(rows: Rows) -> Splits:
    samples = Samples(rows, torch.zeros(len(rows), dtype=torch.int64))
    every = Split(samples, torch.arange(len(rows)))
    return Splits(every, every, every)


def about(megabytes: float) -> Any:
    return pytest.approx(megabytes * MEGABYTE, abs=15 * MEGABYTE)


@linux_only
def test_what_is_read_and_what_is_kept_of_it_are_told_apart() -> None:
    meter = Meter(CPU)
    with meter.reading():
        kept, parts = ones(100), ones(200)
        del parts
    ones(150)
    found = meter.measured(splits_of(TensorRows(kept[None])))
    assert found is not None
    assert (found.reading, found.data, found.training) == (about(300), about(100), about(150))
    assert found.mapped == 0
    assert found.total == found.process + found.reading
    process = process_usage(OWN)
    assert process is not None
    assert found.process == pytest.approx(process.now - 100 * MEGABYTE, abs=15 * MEGABYTE)


@linux_only
def test_mapped_data_is_counted_aside(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((100, MEGABYTE), dtype=np.uint8))
    meter = Meter(CPU)
    with meter.reading():
        rows = MappedRows.open(tmp_path / "x.npy")
        for chunk in rows.chunks():
            assert chunk.any()
    found = meter.measured(splits_of(rows))
    assert found is not None
    assert (found.mapped, found.data) == (about(100), about(0))
    assert found.total == pytest.approx(found.process, abs=40 * MEGABYTE)


@linux_only
def test_an_earlier_peak_is_forgotten() -> None:
    ones(500)
    meter = Meter(CPU)
    with meter.reading():
        kept = ones(10)
    found = meter.measured(splits_of(TensorRows(kept[None])))
    assert found is not None
    assert max(found.reading, found.data + found.training) < 100 * MEGABYTE


@linux_only
def test_processes_that_read_are_counted() -> None:
    code = "import sys; x = bytearray(b'1') * 80_000_000; print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as earlier,
        StartedProcesses() as processes,
    ):
        assert earlier.stdout
        earlier.stdout.readline()
        for _ in range(2):
            with (
                subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as first,
                subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as second,
            ):
                for each in (first, second):
                    assert each.stdout
                    each.stdout.readline()
                subprocess.run([sys.executable, "-c", "import time; time.sleep(0.3)"], check=True)
    assert processes.peak == pytest.approx(180 * MEGABYTE, abs=20 * MEGABYTE)


def facts() -> Facts:
    layers = ["flatten", {"linear": "classes"}]
    plain = {"data": "digits", "model": {"layers": layers}, "optimizer": "sgd"}
    return gather(complete(from_plain({**plain, "train": {"device": "cpu"}}, Place("x")), "x"))


def test_without_a_measurement_the_computed_sizes_are_a_lower_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cnnctl.verification.memory.usage_of", lambda device: None)
    found = facts()
    assert found.memory.measured is None
    figure = EnoughMemory().find(found).figure
    assert figure.startswith("at least ")
    assert ", computed: data " in figure


def judged(available: int, *, reading: int = 10) -> tuple[Verdict, str, str]:
    """Of 400 MB for the process, 20 for data and 380 for training."""
    sizes = {"process": 400, "reading": reading, "data": 20, "training": 380}
    measured = Measured(**{name: size * MEGABYTE for name, size in sizes.items()})
    whole = facts()
    memory = replace(whole.memory, available=available * MEGABYTE, measured=measured)
    found = EnoughMemory().find(replace(whole, memory=memory))
    return found.verdict, found.figure, found.hint


def test_what_was_measured_is_compared_with_what_is_free() -> None:
    parts = "measured: process 400.0 MB, data 20.0 MB, training 380.0 MB"
    assert judged(1001) == (Verdict.FINE, f"800.0 MB of 1.0 GB free on the CPU, {parts}", "")
    verdict, _, hint = judged(999)
    assert verdict is Verdict.WARNING
    assert hint.startswith("use a smaller data.batch_size")
    verdict, figure, _ = judged(799)
    assert verdict is Verdict.ERROR
    assert figure.startswith("training would not fit: it needs 800.0 MB of 799.0 MB free")


def test_reading_may_take_more_than_training() -> None:
    verdict, figure, hint = judged(1500, reading=900)
    assert verdict is Verdict.WARNING
    assert figure.endswith("measured: process 400.0 MB, reading the data 900.0 MB")
    assert hint.startswith("use smaller or fewer samples")


SMALL = """\
data: {name: fake, shape: [3, 8, 8], samples: 100, batch_size: 10}
model: {layers: [flatten, linear: classes]}
"""
DATA = """\
data: {name: fake, shape: [3, 64, 64], samples: 25000, batch_size: 8}
model: {layers: [flatten, linear: classes]}
"""
BATCH = """\
data: {name: fake, shape: [3, 32, 32], samples: 800, batch_size: all, validation: 0}
model:
  layers:
    - conv: {out_channels: 32, kernel_size: 3, padding: 1}
    - relu
    - conv: {out_channels: 32, kernel_size: 3, padding: 1}
    - relu
    - global_avg_pool
    - linear: classes
"""
STATE = """\
data: {name: fake, shape: [3, 32, 32], samples: 100, batch_size: 10}
model: {layers: [flatten, linear: 4000, relu, linear: 4000, linear: classes]}
"""
TRAIN = """\
optimizer: {name: adam, lr: 0.001}
train: {epochs: 1, device: cpu, precision: fp32, micro_batch_size: null}
"""
PEAK = f"""
import atexit, pathlib, sys
lines = lambda: pathlib.Path("{OWN}/status").read_text().splitlines()
atexit.register(lambda: print(*(line.split()[1] for line in lines() if "VmHWM" in line)))
sys.argv = ["cnnctl", "train", "x.yaml"]
from cnnctl.cli import main
main()
"""


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.long
@linux_only
@pytest.mark.parametrize(
    "text", [SMALL, DATA, BATCH, STATE], ids=["small", "data", "batch", "state"]
)
def test_the_memory_of_training_is_foretold(text: str, tmp_path: Path) -> None:
    """Compared with the peak of `cnnctl train`, in a process of its own as well."""
    (tmp_path / "x.yaml").write_text(text + TRAIN, encoding="utf-8")
    [result] = json.loads(run(tmp_path, "-m", "cnnctl", "check", "--data", "x.yaml", "--json"))
    [memory] = [each for each in result["data"] if each["check"] == "memory"]
    peak = int(run(tmp_path, "-c", PEAK).splitlines()[-1]) * 1024
    assert memory["numbers"]["total"] == pytest.approx(peak, rel=0.1)
    process = memory["numbers"]["measured"]["process"]
    if text != SMALL:
        assert memory["numbers"]["total"] - process == pytest.approx(peak - process, rel=0.2)
