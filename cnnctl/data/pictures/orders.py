"""Orders over the files of a tree, and the processes of their own that carry them out.

Such a process is a module that is run (`python -m`) with the tree's root and calls `serve`: it
reads orders from its standard input and answers on its standard output, a line of JSON each, until
its input ends. Its module imports neither torch nor pydantic, so it starts in a fifth of a second.
A decoder that crashes takes down only it.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.files import open_tree

TOGETHER = 64
"""Files in one order."""
UNSEARCHED = 50_000
"""New objects before a process looks for cycles: hardly any of a decoder's objects is in one."""
Order = Sequence[tuple[int, Entry]]
"""Files, each with a number that its answer has too."""
Answer = Sequence[Any]
"""What became of a file, as plain values in an agreed order."""


def orders_of(tree: FileTree, entries: Sequence[Entry]) -> Iterator[Order]:
    """Orders over these files, numbered by their positions, in the quickest order to read them."""
    numbered = sorted(enumerate(entries), key=lambda item: tree.offset(item[1]))
    for start in range(0, len(numbered), TOGETHER):
        yield numbered[start : start + TOGETHER]


def to_line(order: Order) -> bytes:
    """An order as a line for a process."""
    numbered = [[number, each.name, each.size, each.stamp, each.start] for number, each in order]
    return f"{json.dumps(numbered)}\n".encode()


def from_line(line: bytes) -> list[Answer]:
    """The answers of a process.

    Raises:
        OSError: it could not write.
    """
    answer: Any = json.loads(line)
    if isinstance(answer, dict):
        raise OSError(answer["errno"], answer["strerror"])
    return list(answer)


def serve(root: str, carry_out: Callable[[FileTree, Order], list[Answer]]) -> None:
    """Carry out orders until there are no more."""
    tree = open_tree(Path(root))
    for order in received():
        try:
            answer: Any = carry_out(tree, order)
        except OSError as error:
            answer = {"errno": error.errno, "strerror": error.strerror}
        print(json.dumps(answer), flush=True)


def received() -> Iterator[Order]:
    """The orders that this process is given, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who gives orders ends this process
    gc.freeze()  # what has been imported stays, and need not be searched again
    gc.set_threshold(UNSEARCHED)
    for line in sys.stdin:
        yield [(number, Entry(*entry)) for number, *entry in json.loads(line)]
