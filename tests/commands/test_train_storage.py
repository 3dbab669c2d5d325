"""Training on a disk that is full, and on one that cannot be written to: real ones, mounted."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from cnnctl.checkpoint import load
from tests.conftest import command, environment, invoke

MOUNTS = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
"""Runs a script that may mount what nobody else sees, and that goes when it ends."""


def in_own_mounts(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MOUNTS, script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True)
def may_mount(tmp_path: Path) -> None:
    try:
        tried = in_own_mounts("mount -t tmpfs tmpfs .", tmp_path)
    except OSError:
        pytest.skip("there is no unshare here")
    if tried.returncode:
        pytest.skip(f"mounts are not permitted here: {tried.stderr}")


def train(*arguments: str | Path) -> str:
    return shlex.join(command("train", *arguments))


def test_a_full_disk_ends_the_run_and_the_last_good_checkpoint_still_loads(tiny: Path) -> None:
    folder = tiny.parent
    (folder / "small").mkdir()
    script = (
        "mount -t tmpfs -o size=96k tmpfs small\n"
        f"{train(tiny, 'train.epochs=10000', '--runs', 'small/runs')}\n"
        "code=$?; cp -r small/runs/tiny kept; exit $code"
    )
    done = in_own_mounts(script, folder)
    assert done.returncode == 6, done.stderr
    fault, hint = done.stderr.splitlines()
    assert fault.startswith("small/runs/tiny/")
    assert fault.endswith("cannot be written: No space left on device")
    assert hint == "    free some space, or choose another disk with --runs"
    assert "epoch     1/10000" in done.stdout
    epochs = load(folder / "kept" / "checkpoints" / "last.safetensors").document["counters"]
    evaluated = invoke("eval", folder / "kept", "--device", "cpu")
    assert evaluated.exit_code == 0, evaluated.output
    # the run goes on where there is room
    more = f"train.epochs={epochs['epoch'] + 1}"
    resumed = invoke("train", "--resume", folder / "kept", more)
    assert resumed.exit_code == 0, resumed.output
    assert f"resuming after epoch {epochs['epoch']}" in resumed.stdout


def test_a_read_only_disk_is_said_to_new_runs_and_to_resumed_ones(tiny: Path) -> None:
    folder = tiny.parent
    assert invoke("train", tiny, "--runs", folder / "runs").exit_code == 0
    script = (
        "mount --bind runs runs && mount -o remount,bind,ro runs || exit 99\n"
        f"{train(tiny)}; echo new $?\n"
        f"{train('--resume', 'runs/tiny')}; echo resumed $?"
    )
    done = in_own_mounts(script, folder)
    if done.returncode == 99:
        pytest.skip(f"a read-only mount is not permitted here: {done.stderr}")
    assert done.stdout == "new 6\nresumed 6\n"
    said = done.stderr.splitlines()
    assert said[0] == "runs: cannot be written: Read-only file system"
    assert said[2] == "runs/tiny: cannot be written: Read-only file system"
    assert said[1] == said[3] == "    the disk is read-only; choose another with --runs"
