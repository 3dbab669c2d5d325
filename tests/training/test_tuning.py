"""Whether to compile is measured, for runs that are long enough to win the compiling back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl.data.loader import Batches
from cnnctl.errors import config_fault
from cnnctl.training import tuning
from cnnctl.training.run import Run
from cnnctl.training.tuning import can_compile, seconds_per_step, settle_compile
from tests.conftest import Cli
from tests.training.conftest import experiment_of, run_of

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MOONS = {
    "data": {"name": "moons"},
    "model": {"layers": [{"linear": 4}, "relu", {"linear": 2}]},
}


def choose(
    patch: pytest.MonkeyPatch, *, plain: float, compiled: float, epochs: int, asked: Any = "auto"
) -> tuple[Any, list[bool]]:
    """What is chosen where steps take so many seconds, and what was measured for it."""
    measured: list[bool] = []

    def seconds(run: Run, batches: object) -> float:
        compiles = bool(run.experiment.train.compile)
        measured.append(compiles)
        return compiled if compiles else plain

    patch.setattr(tuning, "seconds_per_step", seconds)
    patch.setattr("shutil.which", lambda name: name)
    experiment = experiment_of({**MOONS, "train": {"epochs": epochs, "compile": asked}})
    batches = [None] * 10  # all that is asked of them is how many there are
    run = run_of(MOONS)

    def make_run(tried: object) -> Run:
        run.experiment = tried  # type: ignore[assignment]
        return run

    settled = settle_compile(experiment, make_run, batches)  # type: ignore[arg-type]
    return settled.train.compile, measured


def test_a_short_run_is_not_compiled_nor_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    # 10 steps of 1 s, 17 epochs: 170 s
    assert choose(monkeypatch, plain=1.0, compiled=0.1, epochs=17) == (False, [False])


def test_a_long_run_is_compiled_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose(monkeypatch, plain=1.0, compiled=0.85, epochs=19)
    assert chosen == (True, [False, True])


@pytest.mark.parametrize("compiled", [0.95, 1.5])
def test_a_long_run_is_left_where_that_is_not(
    monkeypatch: pytest.MonkeyPatch, compiled: float
) -> None:
    chosen = choose(monkeypatch, plain=1.0, compiled=compiled, epochs=19)
    assert chosen == (False, [False, True])


@pytest.mark.parametrize("asked", [True, False, "reduce-overhead"])
def test_what_is_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch, asked: Any) -> None:
    assert choose(monkeypatch, plain=1.0, compiled=0.1, epochs=99, asked=asked) == (asked, [])


def test_real_steps_are_timed() -> None:
    run = run_of(MOONS)
    batches = [(torch.randn(8, 2), torch.randint(2, (8,))) for _ in range(5)]

    class Few(Batches):
        def __init__(self) -> None:
            """Hold the five batches above."""

        def __len__(self) -> int:
            return len(batches)

        def epoch(self, number: int, *, start: int = 0) -> Any:
            return iter(batches)

    assert 0 < seconds_per_step(run, Few()) < 10
    assert run.counters.step > tuning.WARM_UP


def test_a_cpu_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not can_compile(CPU)
    monkeypatch.setattr("shutil.which", lambda name: name if name == "clang++" else None)
    assert can_compile(CPU)
    monkeypatch.setattr("sys.platform", "win32")
    assert not can_compile(CPU)


@pytest.mark.parametrize(
    ("capability", "triton", "can"), [(9, 1, True), (6, 1, False), (9, 0, False)]
)
def test_a_gpu_needs_triton_and_volta(
    monkeypatch: pytest.MonkeyPatch, capability: int, triton: int, can: bool
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (capability, 0))
    monkeypatch.setattr(tuning, "find_spec", lambda name: object() if triton else None)
    assert can_compile(GPU) is can


def test_a_compiler_that_does_not_work_is_a_fault_where_compiling_was_asked_for(
    cli: Cli, tiny: Path
) -> None:
    broken = {"CXX": "/bin/false", "TORCHINDUCTOR_CACHE_DIR": str(tiny.parent / "cache")}
    done = cli("train", tiny, "train.compile=true", "train.device=cpu", **broken)
    assert done.returncode == 2
    assert "train.compile: the network could not be compiled: " in done.stderr
    assert "set train.compile=false" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not can_compile(CPU), reason="there is no C++ compiler")
def test_a_cuda_compiler_beside_no_gpu_is_not_spoken_of(cli: Cli, tiny: Path) -> None:
    done = cli("train", tiny, "train.compile=true", "train.device=cpu", CUDA_HOME="/usr")
    assert (done.returncode, done.stderr) == (0, "")
    assert ", compiled" in done.stdout


def test_a_compiler_that_does_not_work_is_left_alone_where_it_was_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(run: Run, batches: object) -> float:
        if run.experiment.train.compile:
            raise config_fault("the network could not be compiled")
        return 10.0

    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(tuning, "seconds_per_step", fail)
    experiment = experiment_of({**MOONS, "train": {"epochs": 99, "compile": "auto"}})
    run = run_of(MOONS)

    def make_run(tried: object) -> Run:
        run.experiment = tried  # type: ignore[assignment]
        return run

    settled = settle_compile(experiment, make_run, [None] * 10)  # type: ignore[arg-type]
    assert settled.train.compile is False
