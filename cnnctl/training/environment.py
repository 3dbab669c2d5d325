"""The environment of a run: versions, hardware, command, git commit."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import torch

from cnnctl.paths import current_folder
from cnnctl.training.launch import launch_of
from cnnctl.version import __version__

PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "pydantic", "safetensors")


def describe_environment(device: torch.device, *, ranks: int = 1) -> dict[str, Any]:
    """Facts that may explain a difference between two runs, as plain data."""
    capabilities = torch.cpu.get_capabilities()
    return {
        "cnnctl": __version__,
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {
            "name": capabilities.get("cpu_name", platform.processor()),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        },
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "ranks": ranks,
        "launch": launch_of(),
        "command": sys.argv,
        "folder": str(current_folder()),
        "git": _git_commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    try:
        return str(metadata.version(package))
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of the current folder, with `+` if it has changes."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None  # no git, or not a repository


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=5)
    return done.stdout.strip()
