"""The wheel is all that is needed: it is built, looked into, and run with no checkout near."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import command, environment

ROOT = Path(__file__).parent.parent
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]

pytestmark = pytest.mark.long  # hatchling is fetched to build it


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    [built] = folder.iterdir()
    return built


Run = Callable[..., str]


@pytest.fixture
def run(wheel: Path, tmp_path: Path) -> Run:
    """Run the installed cnnctl in an empty folder, beside the dependencies of this Python."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    subprocess.run([*PIP, "install", "--no-deps", "--target", site, wheel], check=True)
    env = environment(PYTHONPATH=str(site))
    asked = [sys.executable, "-c", "import cnnctl; print(cnnctl.__file__)"]
    found = subprocess.run(asked, cwd=empty, env=env, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(site)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            command(*arguments), cwd=empty, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_has_every_shipped_experiment(wheel: Path) -> None:
    files = sorted((ROOT / "configs").iterdir())
    with ZipFile(wheel) as archive:
        for file in files:
            assert archive.read(f"cnnctl/configs/{file.name}") == file.read_bytes()
    assert sum(file.suffix == ".yaml" for file in files) >= 11


def test_the_wheel_works_where_no_checkout_is(run: Run) -> None:
    listed = run("list", "configs").splitlines()[1:]
    assert [line.split()[0] for line in listed] == sorted(
        file.stem for file in (ROOT / "configs").glob("*.yaml")
    )
    text = (ROOT / "configs" / "lenet-mnist.yaml").read_text(encoding="utf-8")
    assert run("show", "lenet-mnist") == text
    trained = run("train", "textbook-3-4-2", "train.epochs=2")
    assert "run folder: runs/textbook-3-4-2" in trained
