"""Has orders carried out by several processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import cnnctl
from cnnctl.data.file_tree import FileTree
from cnnctl.data.pictures.orders import Answer, Order, from_line, to_line
from cnnctl.errors import data_fault

FEW = 500
"""Files up to which starting processes takes longer than decoding."""
Advance = Callable[[int], object]
"""Is told how many more files are done."""


def carry_out(
    tree: FileTree, orders: Sequence[Order], command: Sequence[str], *, advance: Advance
) -> list[Answer]:
    """The answers to all orders, in any order, from a process for each core.

    command: the module to run, and its arguments after the tree's root.

    Raises:
        OSError: a process cannot write.
        FaultError: a process ended while it carried out an order.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    idle: SimpleQueue[Process] = SimpleQueue()
    answers: list[Answer] = []

    def carry_out_one(order: Order) -> list[Answer]:
        process = idle.get()
        try:
            return process.carry_out(order)
        finally:
            idle.put(process)

    with ExitStack() as stack:
        for _ in range(count or 1):
            idle.put(stack.enter_context(Process(tree, command)))
        pool = stack.enter_context(ThreadPoolExecutor(idle.qsize()))
        futures = [pool.submit(carry_out_one, order) for order in orders]
        try:
            for future in as_completed(futures):
                done = future.result()
                answers += done
                advance(len(done))
        finally:
            pool.shutdown(cancel_futures=True)
    return answers


class Process:
    """A process that carries out orders; a context manager, which ends it."""

    def __init__(self, tree: FileTree, command: Sequence[str]) -> None:
        module, *arguments = command
        self._tree = tree
        self._process = subprocess.Popen(
            # -P, or modules would be imported from the current folder
            [sys.executable, "-P", "-m", module, str(tree.root), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # C libraries print every oddity of a file there
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(cnnctl.__file__).parents[1])},
        )

    def carry_out(self, order: Order) -> list[Answer]:
        """What became of each file.

        Raises:
            OSError, FaultError: see above.
        """
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f"{to_line(order)}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return from_line(answer)
        first, last = (self._tree.place(order[at][1].name) for at in (0, -1))
        message = f"a decoder ended with {self._process.wait()} at one of {len(order)} files"
        raise data_fault(message, hint=f"look at those from {first} to {last}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
