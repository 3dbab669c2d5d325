"""Training on a terminal: a real one, as the system makes it for a program."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import termios
from pathlib import Path

import pytest

from tests.conftest import environment
from tests.warm import Process

COLOR = re.compile(r"\x1b\[[0-9;]*(3|4|9|10)[0-9][0-9;]*m")


class Terminal:
    """A program whose output is a terminal of this width."""

    def __init__(self, arguments: list[str], folder: Path, *, width: int, **env: str) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        self.process = Process(
            arguments,
            cwd=folder,
            env=environment(TERM="xterm-256color", **env),
            streams=dict.fromkeys(range(3), theirs),
        )
        os.close(theirs)
        self.shown = ""

    def read(self, *, until: str = "") -> str:
        """What is shown so far; reads to the end, or until this pattern is among it."""
        while not until or not re.search(until, self.shown):
            try:
                chunk = os.read(self.ours, 65536)
            except OSError:  # the program left
                break
            if not chunk:
                break
            self.shown += chunk.decode(errors="replace")
        return self.shown

    def close(self) -> int:
        os.close(self.ours)
        return self.process.wait()


@pytest.fixture
def slow(tiny: Path) -> list[str]:
    """A training that lasts long enough to be watched."""
    more = ["data.size=64", "data.batch_size=32", "train.epochs=1000"]
    return ["train", str(tiny), *more]


def test_a_bar_shows_how_it_goes_and_no_color_is_obeyed(tmp_path: Path, slow: list[str]) -> None:
    terminal = Terminal(slow, tmp_path, width=120, NO_COLOR="1")
    bar = r"epoch \d+/1000 ━* *\d+/\d+ loss \d\.\d{4}  accuracy \d+\.\d\d%  [\d,]+ samples/s"
    assert re.search(bar, terminal.read(until=bar))
    terminal.read(until=r"epoch +1/1000  train \d")
    terminal.process.send_signal(signal.SIGINT)
    text = terminal.read()
    assert terminal.close() == 130
    assert not COLOR.search(text)
    assert "resume with: cnnctl train --resume" in text


def test_a_narrow_terminal_gets_colors_and_its_cursor_back_after_a_second_signal(
    tmp_path: Path, slow: list[str]
) -> None:
    terminal = Terminal(slow, tmp_path, width=40, COLUMNS="40")
    terminal.read(until="loss")
    terminal.read(until="\x1b\\[32m")
    for number in (signal.SIGINT, signal.SIGTERM):
        terminal.process.send_signal(number)
    text = terminal.read()
    assert terminal.close() == 143
    assert COLOR.search(text)
    assert "Traceback" not in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
