"""Has orders carried out by several processes at once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from queue import SimpleQueue

from cnnctl.data.child import child, end_of
from cnnctl.data.file_tree import FileTree
from cnnctl.data.pictures.orders import Answer, Order, from_line, to_line
from cnnctl.errors import data_fault

FEW = 500
"""Files up to which starting processes takes longer than decoding."""
Advance = Callable[[int], object]
"""Is told how many more files are done."""


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def carry_out(
    tree: FileTree,
    orders: Sequence[Order],
    command: Sequence[str],
    *,
    processes: int,
    advance: Advance,
) -> list[Answer]:
    """The answers to all orders, in any order, from several processes.

    command: the module to run, and its arguments after the tree's root.

    Raises:
        OSError: a process cannot write.
        FaultError: a process ended while it carried out an order.
    """
    module, *arguments = command
    idle: SimpleQueue[Process] = SimpleQueue()
    answers: list[Answer] = []

    def carry_out_one(order: Order) -> list[Answer]:
        process = idle.get()
        try:
            return process.carry_out(order)
        finally:
            idle.put(process)

    with ExitStack() as stack:
        for _ in range(processes):
            process = stack.enter_context(child(module, str(tree.opened_as), *arguments))
            idle.put(Process(tree, process))
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
    """A process that carries out orders."""

    def __init__(self, tree: FileTree, process: subprocess.Popen[bytes]) -> None:
        self._tree, self._process = tree, process

    def carry_out(self, order: Order) -> list[Answer]:
        """What became of each file.

        Raises:
            OSError, FaultError: see above.
        """
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(to_line(order))
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if answer:
            return from_line(answer)
        first, last = (self._tree.place(order[at][1].name) for at in (0, -1))
        message = f"a decoder ended with {end_of(self._process)} at one of {len(order)} files"
        raise data_fault(message, hint=f"look at those from {first} to {last}")
