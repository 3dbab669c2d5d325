"""A signal ends the program by its own exit code, whatever it was doing, and leaves no half."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import cnnctl
from tests import warm
from tests.conftest import TINY, Cli, command, environment

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
signals = pytest.mark.parametrize("number", CODES)


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import os, signal\n{program}"],
        capture_output=True,
        text=True,
        check=False,
    )


def kill(number: int) -> str:
    return f"os.kill(os.getpid(), {int(number)})"


def with_plugin(folder: Path, code: str) -> Path:
    """An experiment that runs this code when it is read."""
    (folder / "plugin.py").write_text(f"import os\n{code}\n", encoding="utf-8")
    config = folder / "plugged.yaml"
    config.write_text(f"plugins: [plugin.py]\n{TINY}", encoding="utf-8")
    return config


@signals
@pytest.mark.parametrize(
    "package",
    ["typer", *(pytest.param(name, marks=pytest.mark.long) for name in ("yaml", "torch"))],
)
def test_a_signal_in_an_import_is_not_seen_by_what_is_imported(
    package: str, number: signal.Signals, tiny: Path, cold_cli: Cli
) -> None:
    fake = tiny.parent / "fake"
    fake.mkdir()
    text = f"import os\ntry:\n    {kill(number)}\nexcept BaseException:\n    os.abort()\n"
    (fake / f"{package}.py").write_text(text, encoding="utf-8")
    paths = os.pathsep.join([str(fake), str(Path(cnnctl.__file__).parents[1])])
    done = cold_cli("check", tiny, PYTHONPATH=paths)
    assert (done.returncode, done.stdout, done.stderr) == (CODES[number], "", "stopped\n")


@signals
def test_a_signal_while_a_plugin_is_read_is_no_fault_of_the_plugin(
    number: signal.Signals, tmp_path: Path, cli: Cli
) -> None:
    done = cli("summary", with_plugin(tmp_path, kill(number)))
    assert (done.returncode, done.stdout, done.stderr) == (CODES[number], "", "stopped\n")


@signals
def test_a_run_that_is_stopped_before_it_has_begun_leaves_no_folder(
    number: signal.Signals, tmp_path: Path, cli: Cli
) -> None:
    code = f"from cnnctl.training import setup\nsetup.prepare = lambda *a, **o: {kill(number)}"
    done = cli("train", with_plugin(tmp_path, code))
    assert (done.returncode, done.stdout, done.stderr) == (CODES[number], "", "stopped\n")
    assert list((tmp_path / "runs").iterdir()) == []


@signals
def test_two_signals_before_anything_is_saved_leave_no_folder(
    number: signal.Signals, tmp_path: Path, cli: Cli
) -> None:
    twice = f"[{kill(number)} for _ in range(2)]"
    code = f"from cnnctl.training.training import Training\nTraining.begin = lambda *a: {twice}"
    done = cli("train", with_plugin(tmp_path, code))
    assert (done.returncode, done.stdout, done.stderr) == (CODES[number], "", "stopped\n")
    assert list((tmp_path / "runs").iterdir()) == []


LAST_ACTS = {
    "at exit": "import atexit\natexit.register(lambda: {})",
    # Python has given its handlers back by then
    "while modules go": "class Last:\n    def __del__(self, os=os):\n        {}\nlast = Last()",
}


@signals
@pytest.mark.parametrize("act", LAST_ACTS)
def test_a_signal_to_a_program_that_is_done_changes_nothing(
    act: str, number: signal.Signals, tmp_path: Path
) -> None:
    config = with_plugin(tmp_path, LAST_ACTS[act].format(kill(number)))
    words = ["check", str(config)]
    done = warm.run(words, cwd=tmp_path, env=environment(), is_taken_apart=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no problems found" in done.stdout


@signals
def test_an_unbroken_section_ends_before_the_program_does(number: signal.Signals) -> None:
    done = run(
        "from cnnctl.interruption import install, unbroken\n"
        "install()\n"
        "with unbroken():\n"
        "    with unbroken():\n"
        f"        {kill(number)}\n"
        "    print('done', flush=True)\n"
        "print('still here', flush=True)"
    )
    assert (done.returncode, done.stdout) == (CODES[number], "done\n")


def test_the_second_signal_does_not_wait() -> None:
    done = run(
        "from cnnctl.interruption import install, unbroken\n"
        "install()\n"
        "with unbroken():\n"
        f"    {kill(signal.SIGINT)}\n"
        f"    {kill(signal.SIGTERM)}\n"
        "    print('done', flush=True)"
    )
    assert (done.returncode, done.stdout) == (CODES[signal.SIGTERM], "")


def test_partial_work_is_cleaned_up_in_reverse_order() -> None:
    done = run(
        "from cnnctl.interruption import forget, install, undo_at_signal\n"
        "def say(text): print(text, flush=True)\n"
        "def fail(): raise OSError\n"
        "def forgotten(): say('forgotten')\n"
        "install()\n"
        "for undo in (lambda: say('first'), fail, forgotten, lambda: say('last')):\n"
        "    undo_at_signal(undo)\n"
        "forget(forgotten), forget(forgotten)\n"
        f"{kill(signal.SIGINT)}"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "last\nfirst\n", "stopped\n")


def test_a_fork_undoes_nothing_of_its_parent() -> None:
    done = run(
        "from cnnctl.interruption import install, undo_at_signal\n"
        "install()\n"
        "undo_at_signal(lambda: print('undone', flush=True))\n"
        "child = os.fork()\n"
        "if not child:\n"
        f"    {kill(signal.SIGTERM)}\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert (done.stdout, done.stderr) == ("143\n", "")


def test_importing_the_package_leaves_signals_alone() -> None:
    done = run(
        "before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]\n"
        "import cnnctl.__main__, cnnctl.cli, cnnctl.interruption, cnnctl.training.signals\n"
        "print(before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])"
    )
    assert done.stdout == "True\n"


def test_two_signals_end_a_training_whose_output_is_closed() -> None:
    program = (
        "import os\n"
        "from cnnctl.training.signals import StopSignals\n"
        "with StopSignals():\n"
        "    os.kill(os.getpid(), 2), os.kill(os.getpid(), 2)\n"
    )
    script = 'exec "$0" -c "$1" >&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, program], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, b"stopped\n")


COMMANDS = [
    *(["--help"], ["check", "tiny.yaml"], ["summary", "tiny.yaml"]),
    *(["eval", "kept/tiny"], ["train", "tiny.yaml"]),
]
SAMPLES = 15
"""Moments of a process's life at which a signal is sent."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment, and a run of it beside `runs`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    words = command("train", "tiny.yaml", "--runs", "kept")
    subprocess.run(words, cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


READY = """
import os
from cnnctl import interruption
interruption.install()
os.write(1, b"ready\\n")
from cnnctl.__main__ import main
main()
"""
"""The program, which says when it has begun to take care of signals."""


def stopped_at(
    words: Sequence[str], folder: Path, number: int, delay: float, times: int
) -> tuple[int, str]:
    """The exit code and the complaints of a command that gets signals so many seconds on."""
    process = subprocess.Popen(
        [sys.executable, "-c", READY, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(delay)  # the moment is what is tried here; no outcome depends on it
    for _ in range(times):
        process.send_signal(number)
    _, complaints = process.communicate()
    return process.returncode, complaints


def moments(words: Sequence[str], folder: Path) -> Iterator[float]:
    """Seconds from the first line of the program to behind the end of a command."""
    started = time.perf_counter()
    subprocess.run(command(*words), cwd=folder, env=environment(), check=True, capture_output=True)
    life = time.perf_counter() - started
    yield from (1.1 * life * n / SAMPLES for n in range(SAMPLES))


@pytest.mark.long
@signals
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_signal_at_any_moment_ends_by_its_exit_code(
    words: list[str], times: int, number: signal.Signals, trained: Path
) -> None:
    for delay in moments(words, trained):
        shutil.rmtree(trained / "runs", ignore_errors=True)
        code, complaints = stopped_at(words, trained, number, delay, times)
        assert code in (0, CODES[number]), (delay, complaints)
        assert complaints in ("", "stopped\n"), delay
        for run in (trained / "runs").glob("*"):
            assert (run / "checkpoints" / "last.safetensors").exists(), delay
