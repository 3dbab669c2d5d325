"""Every command of the README is run, in its order, in a folder that holds what a clone holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import environment

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

SERVERS = ("tensorboard", "cnnctl serve")
RUN_BY_CI = ("pip install", "pytest", "ruff check")
"""What `.ci/run` does with the repository itself."""


def commands() -> list[str]:
    """The lines of all bash blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_readme_opens_with_the_two_commands() -> None:
    assert commands()[:2] == [
        "pip install -e . && cnnctl train configs/lenet.yaml",
        "pip install -e '.[test]' && pytest",
    ]


def test_what_is_not_run_here_is_run_by_ci() -> None:
    assert "pip install -e '.\\[test\\]' && pytest" in CI
    for done in ("'.[dev]'", "ruff check", "ruff format --check", "mypy --strict", "-m long"):
        assert done in CI


@pytest.mark.long
@pytest.mark.first
def test_every_command_does_what_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    write_data(tmp_path)
    scripts = Path(sys.executable).parent
    env = environment(PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}")
    for line in commands():
        here = line.split(" && ")[-1] if line.startswith("pip install -e . &&") else line
        if here.startswith(RUN_BY_CI):
            continue
        if here.startswith(SERVERS):
            assert_serves(here, tmp_path, env)
            continue
        done = subprocess.run(
            ["bash", "-c", here], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{here}\n{done.stdout}\n{done.stderr}"


def write_data(folder: Path) -> None:
    """Pictures to predict for, and a table to train on."""
    (folder / "scans").mkdir()
    for number in range(3):
        Image.new("L", (20, 30), 80 * number).save(folder / "scans" / f"{number}.png")
    shutil.copy(folder / "scans" / "0.png", folder / "digit.png")
    shutil.make_archive(str(folder / "more"), "zip", folder / "scans")
    rows = [f"{number},{number % 7},{'ab'[number % 2]}" for number in range(60)]
    (folder / "flowers.csv").write_text("\n".join(["length,width,species", *rows]))


def assert_serves(line: str, folder: Path, env: dict[str, str]) -> None:
    """The command starts a server and says where."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line} 2>&1"], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert any(re.search(r"http://(localhost|127\.0\.0\.1):", said) for said in process.stdout)
    finally:
        process.kill()
        process.wait()
