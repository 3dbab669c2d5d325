"""What tests of whole commands need: real processes, and small experiments."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as the program itself sets it
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
import typer.testing
from hypothesis import settings
from typer.main import get_command
from typer.testing import CliRunner, Result

from cnnctl.cli import spell_out_resume
from cnnctl.commands import app
from tests import warm

sys.dont_write_bytecode = False  # or each process would rewrite every assert, which takes 8 seconds
settings.register_profile("cnnctl", deadline=None)  # machines can be slow
settings.load_profile("cnnctl")

Cli = Callable[..., subprocess.CompletedProcess[str]]

TINY = """\
data: {name: digits, batch_size: 128}
model:
  layers:
    - flatten
    - linear: 16
    - relu
    - linear: classes
optimizer: {name: sgd, lr: 0.1}
train: {epochs: 2}
"""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without searching for cycles: none are left behind, and it takes four seconds."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A process that comes to its longest test last would keep the others waiting."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


IMPORTED = [0]
"""Modules that had been imported when they were last kept out of searches for cycles."""


@pytest.fixture(autouse=True, scope="module")
def what_is_imported_is_not_searched_for_cycles() -> None:
    """Modules and collected tests: searching them takes half a second each time.

    Only after new imports, since what is alive then and part of a cycle is never freed.
    """
    if len(sys.modules) > IMPORTED[0]:
        gc.collect()
        gc.freeze()
        IMPORTED[0] = len(sys.modules)


def command(*arguments: str | Path) -> list[str]:
    """The command line that runs cnnctl in this Python."""
    return [sys.executable, "-m", "cnnctl", *map(str, arguments)]


DROPPED = ("NO_COLOR", "FORCE_COLOR", "CNNCTL_DATA", "COLUMNS")
"""Variables that change how a terminal is written to, or where data is looked for."""


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without those variables."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    return {**kept, "PYTHONUTF8": "1", **more}


def invoke(*arguments: str | Path, **env: str) -> Result:
    """Run a command within this process, which takes a tenth of the time of one of its own."""
    words = spell_out_resume([*map(str, arguments)])
    pipe: dict[str, str | None] = {"COLUMNS": None, **env}
    return CliRunner().invoke(app, words, env=pipe, catch_exceptions=False)


@pytest.fixture(scope="session", autouse=True)
def commands_made_once() -> Iterator[None]:
    """Typer makes all commands anew for each that is run, which takes as long as most of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def cache_of_decoded_pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests decode out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run cnnctl as a process in the test's own folder."""

    def run(
        *arguments: str | Path, cwd: Path = tmp_path, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return warm.run([*map(str, arguments)], cwd=cwd, env=environment(**env))

    return run


@pytest.fixture
def as_before() -> Iterator[None]:
    """Undo what a command sets up in its process, which here is that of all tests."""
    import torch  # which few tests of the configuration need

    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(matmul)


@pytest.fixture
def quick_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_before: None) -> Cli:
    """Run cnnctl as `cli` does, but within this process, for tests of what commands find out."""

    def run(
        *arguments: str | Path, cwd: Path = tmp_path, **env: str
    ) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(cwd)
        for name in DROPPED:
            monkeypatch.delenv(name, raising=False)
        done = invoke(*arguments, **env)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def cold_cli(tmp_path: Path) -> Cli:
    """Run cnnctl as `cli` does, but from the start of Python, for what is read or imported then."""

    def run(
        *arguments: str | Path, cwd: Path = tmp_path, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=cwd,
            env=environment(**env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """An experiment that trains in a blink, named `tiny`."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def rows_of(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl without what a clock says."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    clocked = ("seconds", "samples_per_second")
    return [{k: v for k, v in json.loads(line).items() if k not in clocked} for line in lines]
