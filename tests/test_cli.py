"""The command line itself: what is no command is usage, and `--resume` may stand alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl import __version__
from cnnctl.cli import READER_LEFT, spell_out_resume
from tests import warm
from tests.conftest import Cli, command, environment


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Usage: "),
        (["tarin"], "No such command 'tarin'"),
        (["train", "--epochs", "3"], "No such option"),
        (["eval"], "Missing argument"),
        (["eval", "runs/x", "--split", "tset"], "'tset' is not one of"),
        (["eval", "runs/x", "--batch-size", "0"], "Invalid value for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_run_is_usage(cli: Cli, arguments: list[str], said: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version_are_printed(cli: Cli) -> None:
    assert cli("--version").stdout == f"cnnctl {__version__}\n"
    helped = cli("-h")
    assert helped.returncode == 0
    assert all(
        name in helped.stdout for name in ("train", "init", "eval", "summary", "check", "list")
    )


@pytest.mark.parametrize("arguments", [["schema"], ["list", "layers"]], ids=lambda words: words[0])
def test_a_reader_that_leaves_early_is_no_error_of_ours(
    arguments: list[str], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = warm.run(arguments, cwd=tmp_path, env=environment(), streams={1: writing})
    os.close(writing)
    assert (done.returncode, done.stderr) == (READER_LEFT, "")


def test_a_reader_that_leaves_a_new_process_is_no_error_of_ours() -> None:
    writer = subprocess.Popen(
        command("--help"), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    writer.stdout.close()
    _, complaints = writer.communicate()
    assert (writer.returncode, complaints) == (READER_LEFT, b"")


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [
        ([], []),
        (["train", "x.yaml", "--resume"], ["train", "x.yaml", "--resume="]),
        (["train", "--resume", "x.yaml"], ["train", "--resume=", "x.yaml"]),
        (["train", "--resume", "x.yml"], ["train", "--resume=", "x.yml"]),
        (["train", "--resume", "lenet"], ["train", "--resume=", "lenet"]),
        (["train", "--resume", "--data", "d"], ["train", "--resume=", "--data", "d"]),
        (["train", "x.yaml", "--resume", "a.b=1"], ["train", "x.yaml", "--resume=", "a.b=1"]),
        (["train", "--resume", "runs/x"], ["train", "--resume", "runs/x"]),
        (["train", "--resume", "runs/x", "a=1"], ["train", "--resume", "runs/x", "a=1"]),
        (["train", "--resume=runs/x"], ["train", "--resume=runs/x"]),
    ],
)
def test_resume_may_stand_alone(typed: list[str], spelled: list[str]) -> None:
    assert spell_out_resume(typed) == spelled


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnnctl", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cnnctl {__version__}\n"
