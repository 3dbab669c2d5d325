"""What a benchmark counts is compared with torch's own counters, and its times with the clock."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnnctl.benchmarking import Request, gather, stepping
from cnnctl.benchmarking.clock import CpuClock, PartClock
from cnnctl.benchmarking.facts import PARTS, Failure, Limits, Speed, Work
from cnnctl.benchmarking.load import LoadMeter, seconds_since_start
from cnnctl.benchmarking.report import duration, per_second
from cnnctl.benchmarking.roofline import Pass, passes_of, work_of
from cnnctl.config.nodes import Place, from_plain
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Loaded, complete
from cnnctl.inspection.report import report_on
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.step import Step, make_step
from tests.conftest import Cli

LIMITS = Limits(matrix_product=1000, convolution=500, bandwidth=100)
NETWORK = [
    {"conv": {"out_channels": 4, "kernel_size": 3}},
    "batch_norm",
    "relu",
    {"residual": [{"conv": {"out_channels": 4, "kernel_size": 3, "padding": 1}}]},
    {"max_pool": 2},
    "flatten",
    {"linear": "classes"},
]


def loaded(accumulate: int = 1, **model: Any) -> Loaded:
    plain = {
        "data": {"name": "digits", "batch_size": 16},
        "model": {"layers": NETWORK} | model,
        "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9},
        "train": {"device": "cpu", "precision": "fp32", "threads": 1, "epochs": 1}
        | {"accumulate": accumulate},
    }
    return complete(from_plain(plain, Place("tiny.yaml")), name="tiny")


@pytest.fixture(scope="module")
def benchmark() -> Any:
    threads = torch.get_num_threads()
    yield gather(loaded(), Request(batch_sizes=[8, 32], steps=2))
    torch.set_num_threads(threads)


@pytest.mark.long
@pytest.mark.parametrize("freeze", [[], ["conv1"]])
def test_multiply_adds_of_a_step_are_those_that_torch_counts(
    freeze: list[str], as_before: None
) -> None:
    experiment = loaded(freeze=freeze)
    run = (setup := set_up(experiment)).assemble()
    run.begin_epoch()
    step, batch = make_step(run).for_epoch(), next(setup.batches.train.epoch(0))
    with FlopCounterMode(display=False) as counter:
        step([batch])
    summary = report_on(experiment).summary
    work = work_of(list(passes_of(summary, precision="fp32", optimizer_numbers=1)), LIMITS)
    assert 2 * work.multiply_adds == counter.get_total_flops() > 0


def test_a_pass_takes_as_long_as_its_slower_limit() -> None:
    assert Pass("conv", multiply_adds=3000, bytes=100).seconds(LIMITS) == 3
    assert Pass("relu", multiply_adds=0, bytes=500).seconds(LIMITS) == 5
    assert work_of([Pass("conv", 3000, 100), Pass("relu", 0, 500)], LIMITS) == Work(3000, 600, 8)


def test_bf16_halves_what_activations_move_but_not_the_weights() -> None:
    summary = report_on(loaded()).summary
    full, half = (
        sum(each.bytes for each in passes_of(summary, precision=name, optimizer_numbers=0))
        for name in ("fp32", "bf16")
    )
    weights = next(r for r in summary.layers if r.kind == "linear").weight_bytes
    assert full / 2 + weights < half < full


def test_the_clock_adds_up_each_part_until_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 3.0, 6.0, 10.0, 20.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    clock = CpuClock()
    for part in ("data", "forward", "data", ""):
        clock.mark(part)
    assert clock.read() == {"data": 2.0 + 4.0, "forward": 3.0}


def test_each_batch_size_is_measured_in_rounds_with_all_parts(benchmark: Any) -> None:
    assert [each.batch_size for each in benchmark.speeds] == [8, 32]
    for speed in benchmark.speeds:
        assert len(speed.rounds) == 5
        assert min(speed.rounds) <= speed.samples_per_second <= max(speed.rounds)
        assert all(speed.parts[part] > 0 for part in PARTS)
        assert sum(speed.parts.values()) == pytest.approx(speed.step, rel=0.9)
        assert speed.limits.multiply_adds > 0 < speed.limits.bandwidth
        assert speed.work.limit > 0
    one, four = (each.work.multiply_adds for each in benchmark.speeds)
    assert four == 4 * one


def test_the_work_of_a_step_is_that_of_all_its_batches(benchmark: Any, as_before: None) -> None:
    [speed] = gather(loaded(accumulate=4), Request(batch_sizes=[8], steps=1)).speeds
    assert isinstance(speed, Speed)
    whole = benchmark.speeds[1]
    assert speed.batch_size == whole.batch_size
    assert (speed.work.multiply_adds, speed.work.bytes) == (
        whole.work.multiply_adds,
        whole.work.bytes,
    )


def test_the_time_of_layers_is_told_by_their_kind(benchmark: Any) -> None:
    kinds = {each.kind: each for each in benchmark.speeds[0].kinds}
    assert set(kinds) - {"other"} == {"conv", "batch_norm", "relu", "max_pool", "flatten", "linear"}
    assert sum(each.share for each in kinds.values()) == pytest.approx(1)
    assert all(each.seconds > 0 for each in kinds.values())
    assert sum(each.limit for each in kinds.values()) < benchmark.speeds[0].work.limit


def test_the_figures_of_a_speed_follow_from_its_rounds() -> None:
    speed = Speed(
        batch_size=10,
        rounds=[90, 100, 130],
        parts={},
        first_step=1,
        peak_memory=None,
        work=Work(multiply_adds=1000, bytes=1, limit=0.05),
        limits=LIMITS,
        precision="fp32",
        memory_format="channels_last",
        is_compiled=False,
    )
    assert (speed.samples_per_second, speed.step, speed.spread) == (100, 0.1, 0.4)
    assert (speed.multiply_adds_per_second, speed.share_of_limit) == (10_000, 0.5)


def test_of_several_batch_sizes_one_may_be_out_of_memory(
    monkeypatch: pytest.MonkeyPatch, as_before: None
) -> None:
    real = stepping._step_of

    def step_of(setup: Setup, clock: PartClock) -> Step:
        if setup.batches.train.batch_size == 999:
            raise MemoryError
        return real(setup, clock)

    monkeypatch.setattr(stepping, "_step_of", step_of)
    first, second = gather(loaded(), Request(batch_sizes=[8, 999], steps=1)).speeds
    assert isinstance(first, Speed)
    assert second == Failure(999, "out of memory on cpu with data.batch_size=999")
    with pytest.raises(FaultError) as raised:
        gather(loaded(), Request(batch_sizes=[999], steps=1))
    assert raised.value.exit_code is ExitCode.OUT_OF_MEMORY


def test_the_load_of_others_is_no_more_than_all_cores() -> None:
    meter, until = LoadMeter(), time.perf_counter() + 0.05
    while time.perf_counter() < until:
        pass
    load = meter.read()
    assert load.others is None or 0 <= load.others < load.cores + 1


def test_the_process_has_started_before_its_modules() -> None:
    assert seconds_since_start() >= 0


@pytest.mark.parametrize(
    ("seconds", "shown"), [(2.5, "2.5 s"), (0.01234, "12.3 ms"), (5e-6, "5 µs")]
)
def test_times_have_a_suitable_unit(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_rates_have_a_prefix() -> None:
    assert [per_second(x) for x in (5, 1234, 3.4e9, 9.87e14)] == ["5 ", "1.23 k", "3.4 G", "987 T"]


def test_the_command_shows_a_table_and_writes_json(quick_cli: Cli, tiny: Path) -> None:
    done = quick_cli("bench", tiny, "train.threads=1", "--steps", "1", "-o", "speed.json")
    assert done.returncode == 0, done.stderr
    assert "forward" in done.stdout and "matrix products" in done.stdout
    written = json.loads((tiny.parent / "speed.json").read_text())
    [speed] = written["speeds"]
    assert speed["batch_size"] == 128
    assert not (tiny.parent / "runs").exists()


@pytest.mark.parametrize("sizes", ["0", "8,x", "8,,9"])
def test_batch_sizes_are_numbers(quick_cli: Cli, tiny: Path, sizes: str) -> None:
    done = quick_cli("bench", tiny, "--batch-sizes", sizes)
    assert done.returncode == 2
    assert f"--batch-sizes {sizes}" in done.stderr


def test_a_batch_has_no_more_samples_than_the_training_split(quick_cli: Cli, tiny: Path) -> None:
    done = quick_cli("bench", tiny, "--batch-sizes", "5000")
    assert done.returncode == 2
    assert "--batch-sizes 5000: the training split has 1," in done.stderr
