"""The memory of this process and of those that it starts, as Linux and CUDA tell it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Self

import torch

from cnnctl.training.memory import OWN, Usage, process_usage

FORGET_PEAK = "5"
"""Written to clear_refs, it makes the peak what the process has now; see proc(5)."""
INTERVAL = 0.05
"""Seconds between two looks at the started processes."""


def usage_of(device: torch.device) -> Usage | None:
    """What this process has in the memory of a device; None if unknown.

    On a GPU, tensors and the workspaces of their operators are counted, but not the libraries.
    """
    if device.type == "cuda":
        now, peak = torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device)
        return Usage(now, peak, files=0)
    return process_usage(OWN)


def forget_peak(device: torch.device) -> None:
    """Let the peak be what there is now, if the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):
            (OWN / "clear_refs").write_text(FORGET_PEAK, encoding="ascii")


class StartedProcesses:
    """Watches, in a context, the processes that this one starts; `peak` is their most together.

    Their libraries are in memory already, so pages of files are not counted.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._earlier = set[str]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._earlier = _children()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before = set[str]()
        while not self._over.wait(INTERVAL):
            # a new one may still be a copy of this process, about to start its own program
            children = _children() - self._earlier
            found = [process_usage(OWN.with_name(number)) for number in children & before]
            before = children
            self.peak = max(self.peak, sum(usage.now - usage.files for usage in found if usage))


def _children() -> set[str]:
    """The numbers of the processes that the threads of this one have started."""
    children = set[str]()
    with suppress(OSError):  # no Linux, or a thread is over
        for thread in (OWN / "task").iterdir():
            children.update((thread / "children").read_text(encoding="ascii").split())
    return children
