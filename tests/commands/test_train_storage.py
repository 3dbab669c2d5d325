"""Training on a disk that is full, and on one that cannot be written to: real ones, mounted."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnctl.checkpoint import load
from tests.conftest import TINY, environment, invoke

pytestmark = pytest.mark.long
MOUNTS = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
"""Runs a script that may mount what nobody else sees, and that goes when it ends."""
COMMANDS: dict[str, list[str]] = {
    "full": ["train", "tiny.yaml", "train.epochs=10000", "--runs", "small/runs"],
    "new": ["train", "tiny.yaml"],
    "resumed": ["train", "--resume", "runs/tiny"],
}
PROGRAM = """
import json, os, sys
from tests.conftest import invoke

told = {"read-only": not os.access("runs", os.W_OK)}
for name, words in json.loads(sys.argv[1]).items():
    done = invoke(*words)
    told[name] = (done.exit_code, done.stdout, done.stderr)
print(json.dumps(told))
"""
"""Runs the commands, all of them in one process, which has to import torch."""
SCRIPT = f"""
mount -t tmpfs -o size=96k tmpfs small || exit 99
mount --bind runs runs && mount -o remount,bind,ro runs
{shlex.join([sys.executable, "-c", PROGRAM, json.dumps(COMMANDS)])}
code=$?; cp -r small/runs/tiny kept; exit $code
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment and a run of it."""
    folder = tmp_path_factory.mktemp("storage")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    assert invoke("train", folder / "tiny.yaml", "--runs", folder / "runs").exit_code == 0
    (folder / "small").mkdir()
    return folder


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    """The exit code, standard output and standard error of each command."""
    try:
        done = subprocess.run(
            [*MOUNTS, SCRIPT],
            cwd=folder,
            env=environment(PYTHONPATH=str(Path(__file__).parents[2])),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        pytest.skip("there is no unshare here")
    if done.returncode == 99 or done.stderr.startswith("unshare:"):
        pytest.skip(f"mounts are not permitted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_full_disk_ends_the_run_and_the_last_good_checkpoint_still_loads(
    folder: Path, told: dict[str, Any]
) -> None:
    code, output, complaints = told["full"]
    assert code == 6, complaints
    fault, hint = complaints.splitlines()
    assert fault.startswith("small/runs/tiny/")
    assert fault.endswith("cannot be written: No space left on device")
    assert hint == "    free some space, or choose another disk with --runs"
    assert "epoch     1/10000" in output
    epochs = load(folder / "kept" / "checkpoints" / "last.safetensors").document["counters"]
    evaluated = invoke("eval", folder / "kept", "--device", "cpu")
    assert evaluated.exit_code == 0, evaluated.output
    # the run goes on where there is room
    more = f"train.epochs={epochs['epoch'] + 1}"
    resumed = invoke("train", "--resume", folder / "kept", more)
    assert resumed.exit_code == 0, resumed.output
    assert f"resuming after epoch {epochs['epoch']}" in resumed.stdout


def test_a_read_only_disk_is_reported_to_new_and_resumed_runs(told: dict[str, Any]) -> None:
    if not told["read-only"]:
        pytest.skip("a read-only mount is not permitted here")
    for name, folder in (("new", "runs"), ("resumed", "runs/tiny")):
        code, _, complaints = told[name]
        assert code == 6
        assert complaints.splitlines() == [
            f"{folder}: cannot be written: Read-only file system",
            "    the disk is read-only; choose another with --runs",
        ]
