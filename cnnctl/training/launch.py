"""Restarts by torchrun: the run that the same launch has begun before."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cnnctl.run_files import read_environment, read_result
from cnnctl.run_lookup import has_last, runs_named

UNNAMED = "none"
"""The id of every launch that was given none, unless it is `--standalone`."""
STARTED = 19
"""The start of a process in /proc/PID/stat, counted behind its name."""


def launch_of(environment: Mapping[str, str] = os.environ) -> str:
    """What identifies a launch of torchrun, the same at each of its restarts; empty without one.

    It is the id of the launch or, without one, torchrun's own process. TORCHELASTIC_RESTART_COUNT
    does not say: it may be 0 after a restart (pytorch#108158).
    """
    identity = environment.get("TORCHELASTIC_RUN_ID", "")
    if identity != UNNAMED:
        return identity
    parent = os.getppid()
    return f"process {parent} of {platform.node()}, started at {_start_of(parent)}"


def _start_of(process: int) -> str:
    """When a process was started, in the system's own count; empty where nothing says so."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[STARTED]


def begun_by(launch: str, *, runs: Path, name: str) -> Path | None:
    """The run of this name that a launch has begun and not finished, if any.

    Raises:
        FaultError: the folder of runs cannot be read.
    """
    if not launch:
        return None
    return next(filter(partial(_is_of, launch), reversed(runs_named(runs, name))), None)


def _is_of(launch: str, run: Path) -> bool:
    """Whether this launch, by the same command, has begun a run and not finished it."""
    if not has_last(run):
        return False
    facts = read_environment(run)
    command, state = facts.get("command"), read_result(run).get("state")
    is_same = isinstance(command, list) and command[1:] == sys.argv[1:]
    return is_same and facts.get("launch") == launch and state != "finished"
