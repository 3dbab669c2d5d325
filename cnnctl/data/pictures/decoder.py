"""Decodes many pictures into the rows of one file, in several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import cnnctl
from cnnctl.data.files import Entry, FileTree
from cnnctl.data.pictures import worker
from cnnctl.data.pictures.worker import (
    Decoded,
    PictureForm,
    Put,
    decode_into,
    from_answer,
    into,
    to_order,
)
from cnnctl.errors import data_fault

TOGETHER = 64
"""Files in one order."""
FEW = 500
"""Files up to which starting processes takes longer than decoding."""
Order = Sequence[tuple[int, Entry]]
"""Files, and the rows that they are decoded to."""
Advance = Callable[[int], object]
"""Is told how many more files have been decoded."""


def decode_to_file(
    tree: FileTree, entries: Sequence[Entry], form: PictureForm, target: Path, *, advance: Advance
) -> list[Decoded]:
    """Decode every file to its row of `target`; what became of each, in the order of `entries`.

    Raises:
        OSError: `target` cannot be written.
        FaultError: a process ended while it was decoding.
    """
    if len(entries) > FEW and not tree.is_sequential:
        decoded = _in_processes(tree, list(_orders(tree, entries)), form, target, advance)
        return sorted(decoded, key=lambda each: each.row)
    with target.open("r+b") as file:
        return decode_here(tree, entries, form, into(file.fileno(), form), advance=advance)


def decode_here(
    tree: FileTree, entries: Sequence[Entry], form: PictureForm, put: Put, *, advance: Advance
) -> list[Decoded]:
    """The same in this process, to wherever `put` puts the rows."""
    decoded: list[Decoded] = []
    for order in _orders(tree, entries):
        decoded += decode_into(put, tree, order, form)
        advance(len(order))
    return sorted(decoded, key=lambda each: each.row)


def _orders(tree: FileTree, entries: Sequence[Entry]) -> Iterator[Order]:
    numbered = sorted(enumerate(entries), key=lambda item: tree.offset(item[1]))
    for start in range(0, len(numbered), TOGETHER):
        yield numbered[start : start + TOGETHER]


def _in_processes(
    tree: FileTree, orders: Sequence[Order], form: PictureForm, target: Path, advance: Advance
) -> list[Decoded]:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    idle: SimpleQueue[Process] = SimpleQueue()
    decoded: list[Decoded] = []

    def carry_out(order: Order) -> list[Decoded]:
        process = idle.get()
        try:
            return process.decode(order)
        finally:
            idle.put(process)

    with ExitStack() as stack:
        for _ in range(count or 1):
            idle.put(stack.enter_context(Process(tree, target, form)))
        pool = stack.enter_context(ThreadPoolExecutor(idle.qsize()))
        futures = [pool.submit(carry_out, order) for order in orders]
        try:
            for future in as_completed(futures):
                done = future.result()
                decoded += done
                advance(len(done))
        finally:
            pool.shutdown(cancel_futures=True)
    return decoded


class Process:
    """A process that decodes; a context manager, which ends it."""

    def __init__(self, tree: FileTree, target: Path, form: PictureForm) -> None:
        self._tree = tree
        self._process = subprocess.Popen(
            # -P, or modules would be imported from the current folder
            [
                *(sys.executable, "-P", "-m", worker.__name__),
                *(str(tree.root), str(target), json.dumps(asdict(form))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # C libraries print every oddity of a file there
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(cnnctl.__file__).parents[1])},
        )

    def decode(self, order: Order) -> list[Decoded]:
        """What became of each file.

        Raises:
            OSError, FaultError: see `decode_to_file`.
        """
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f"{to_order(order)}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return from_answer(answer)
        first, last = (self._tree.place(order[at][1].name) for at in (0, -1))
        message = f"a decoder ended with {self._process.wait()} at one of {len(order)} files"
        raise data_fault(message, hint=f"look at those from {first} to {last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
