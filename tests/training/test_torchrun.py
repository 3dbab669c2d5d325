"""Real ranks of torchrun: signals to one of them or to the launcher, restarts, and other commands.

Whatever happens ends, and what is resumed has the same bits as an undisturbed training.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import cnnctl
from cnnctl.checkpoint import Checkpoint
from cnnctl.console import Screen
from cnnctl.training.recipe import train
from cnnctl.training.signals import StopSignals
from cnnctl.training.starting import begin_run, resume_run
from cnnctl.world import World
from tests.ranks import in_threads
from tests.training.conftest import assert_same_state, last

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("as_before")]

ROOT = Path(cnnctl.__file__).parent.parent
EXPERIMENT = """\
data: {name: digits, batch_size: 40, augment: [{noise: 0.1}]}
model:
  layers:
    - conv: {out_channels: 4, kernel_size: 3}
    - batch_norm
    - relu
    - flatten
    - linear: classes
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
train: {epochs: 40, checkpoint_every: 5, device: cpu, threads: 1}
"""
LIMIT = 600.0
"""Seconds after which a training that hangs fails its test."""
TIMEOUT = "10"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "digits.yaml"
    path.write_text(EXPERIMENT, encoding="utf-8")
    return path


@contextmanager
def torchrun(
    folder: Path, *words: str, ranks: int, restarts: int = 0
) -> Iterator[subprocess.Popen[str]]:
    """torchrun with `cnnctl WORDS` as its ranks, in this folder."""
    options = ["--standalone", "--nproc-per-node", str(ranks), "--max-restarts", str(restarts)]
    options += ["--shutdown-timeout", "5"]
    command = [sys.executable, "-m", "torch.distributed.run", *options, "-m", "cnnctl", *words]
    environment = {"CNNCTL_RANK_TIMEOUT": TIMEOUT, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    launcher = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield launcher
    finally:
        for process in (*ranks_of(launcher), launcher.pid):
            with_signal(process, signal.SIGKILL)
        launcher.wait()


def with_signal(process: int, number: signal.Signals) -> None:
    """Send a signal, if the process is still there."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def ranks_of(launcher: subprocess.Popen[str]) -> list[int]:
    """The processes that a launcher has started, by rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    return [*map(int, children.read_text().split())] if children.exists() else []


def once(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_gone(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def trained(config: Path, runs: Path, world: World, resume: Path | None = None) -> Checkpoint:
    """The last state of a training to its end, begun or resumed by one of several threads."""
    if resume is None:
        start = begin_run(config, [], runs=runs, world=world)
    else:
        start = resume_run(None, [], str(resume), runs=runs, world=world)
    train(start, data_root=None, console=Screen(quiet=True), stops=StopSignals([]))
    start.folder.close()
    return last(start.folder.path)


def undisturbed(config: Path, ranks: int) -> Checkpoint:
    runs = config.parent / "undisturbed"
    return in_threads(ranks, lambda world: trained(config, runs, world))[0]


def resumed(config: Path, ranks: int) -> Checkpoint:
    run = config.parent / "runs" / "digits"
    return in_threads(ranks, lambda world: trained(config, run.parent, world, run))[0]


def assert_same_training(one: Checkpoint, other: Checkpoint) -> None:
    """As `assert_same_state`, but for random states, which threads share and nothing draws from."""
    assert_same_state(*map(_without_random, (one, other)))


def _without_random(checkpoint: Checkpoint) -> Checkpoint:
    tensors = {k: v for k, v in checkpoint.tensors.items() if not k.startswith("random.")}
    return replace(checkpoint, tensors=tensors)


def wait_for_training(config: Path) -> None:
    best = config.parent / "runs" / "digits" / "checkpoints" / "best.safetensors"
    once(best.exists)


def test_a_restarted_training_goes_on_by_itself_to_the_same_bits(config: Path) -> None:
    with torchrun(config.parent, "train", "digits.yaml", ranks=2, restarts=1) as launcher:
        wait_for_training(config)
        with_signal(ranks_of(launcher)[1], signal.SIGKILL)
        output, _ = launcher.communicate(timeout=LIMIT)
    assert launcher.returncode == 0, output
    assert "rank 1 (" in output
    assert "resuming after" in output
    assert [path.name for path in (config.parent / "runs").iterdir()] == ["digits"]
    assert_same_training(last(config.parent / "runs" / "digits"), undisturbed(config, 2))


def test_a_signal_to_the_launcher_ends_all_ranks_with_a_checkpoint(config: Path) -> None:
    with torchrun(config.parent, "train", "digits.yaml", ranks=3) as launcher:
        wait_for_training(config)
        launcher.terminate()
        output, _ = launcher.communicate(timeout=LIMIT)
    assert "stopped after" in output
    assert_same_training(resumed(config, 3), undisturbed(config, 3))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSTOP])
def test_a_rank_that_is_signalled_ends_all(config: Path, number: signal.Signals) -> None:
    with torchrun(config.parent, "train", "digits.yaml", ranks=2) as launcher:
        wait_for_training(config)
        ranks = ranks_of(launcher)
        with_signal(ranks[1], number)
        output, _ = launcher.communicate(timeout=LIMIT)
        assert all(map(is_gone, ranks))
    if number is signal.SIGTERM:
        assert "stopped after" in output
    else:
        assert "rank 1 (" in output
        assert ") does not respond" in output
    assert_same_training(resumed(config, 2), undisturbed(config, 2))


def test_ranks_with_different_experiments_are_refused_before_the_first_step(config: Path) -> None:
    text = EXPERIMENT.replace("momentum: 0.9", "momentum: 0.8")
    (config.parent / "other.yaml").write_text(text, encoding="utf-8")
    script = f"exec {sys.executable} -m cnnctl train $([ $RANK = 1 ] && echo other || echo digits)"
    path = config.parent / "start.sh"
    path.write_text(f"#!/bin/sh\n{script}.yaml name=digits\n", encoding="utf-8")
    path.chmod(0o755)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--no-python"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", str(path)],
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "rank 1 differs from rank 0: optimizer.momentum is 0.8 there, 0.9 here" in done.stderr
    assert not (config.parent / "runs" / "digits").exists()


def output_of(config: Path, program: Sequence[str], words: Sequence[str]) -> str:
    return subprocess.run(
        [sys.executable, "-m", *program, *words],
        input="missing.png\n",
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def test_eval_and_predict_say_the_same_as_one_process(config: Path) -> None:
    run = str(config.parent / "undisturbed" / "digits")
    undisturbed(config, 2)
    several = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "cnnctl")
    for words in (("eval", run, "--json"), ("predict", run, "-", "--jsonl")):
        alone = output_of(config, ["cnnctl"], words)
        assert alone
        assert output_of(config, several, words) == alone
