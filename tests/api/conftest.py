"""Runs that the Python interface is tried on, trained once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnctl import Network, Run, train
from tests.conftest import TINY


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the run folders."""
    return tmp_path_factory.mktemp("api") / "runs"


@pytest.fixture(scope="session")
def run(runs: Path) -> Run:
    """A run on the digits."""
    return train(TINY, name="tiny", runs=runs, progress=False)


@pytest.fixture
def network(run: Run) -> Network:
    """Its network."""
    return run.load(device="cpu")
