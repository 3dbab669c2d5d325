"""What a run ran on can be read later."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnnctl.training.environment import describe_environment

CPU = torch.device("cpu")


def commit(folder: Path) -> None:
    """Make the folder a repository with one commit."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    (folder / "file").write_text("one\n", encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "file"], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    try:
        commit(tmp_path)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no git here")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_versions_and_machine_are_noted_as_plain_data() -> None:
    facts = describe_environment(CPU)
    assert json.loads(json.dumps(facts)) == facts
    assert torch.__version__.startswith(facts["packages"]["torch"])
    assert facts["python"] == platform.python_version()
    assert facts["command"] == sys.argv
    assert facts["folder"] == str(Path.cwd())
    assert facts["gpu"] is None


def test_the_commit_is_noted_with_a_plus_where_files_have_changed(repository: Path) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert describe_environment(CPU)["git"] == head
    (repository / "file").write_text("two\n", encoding="utf-8")
    assert describe_environment(CPU)["git"] == f"{head}+"


def test_a_folder_in_no_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe_environment(CPU)["git"] is None
    monkeypatch.setenv("PATH", "")
    assert describe_environment(CPU)["git"] is None
