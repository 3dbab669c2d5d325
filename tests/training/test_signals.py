"""The first signal asks, the second leaves at once; the test of whole runs is test_resume."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from cnnctl.training.signals import StopSignals

NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_is_noted_and_nothing_else_happens(number: signal.Signals) -> None:
    with StopSignals() as signals:
        assert signals.received is None
        os.kill(os.getpid(), number)
        assert signals.received is number


def test_what_was_there_before_is_put_back() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with StopSignals():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_leaves_at_once(number: signal.Signals, code: int) -> None:
    program = (
        "import os\n"
        "from cnnctl.training.signals import StopSignals\n"
        "with StopSignals():\n"
        f"    [os.kill(os.getpid(), {int(number)}) for _ in range(2)]\n"
        "    print('still here', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == code
    assert done.stdout == b""
