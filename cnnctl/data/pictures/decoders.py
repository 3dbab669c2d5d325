"""Processes that decode pictures whenever they are asked to, and hand over the pixels."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from weakref import WeakValueDictionary, finalize

from cnnctl.data.child import child, end_of
from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures import stream
from cnnctl.data.pictures.orders import TOGETHER, to_line
from cnnctl.data.pictures.stream import HEAD, Answer, answer_to
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.errors import data_fault

FEWEST = 8
"""Pictures that are worth an order."""


class Decoders:
    """Decodes in several processes, or with none in threads of this one.

    A process is started by its first order, ends with this object, and holds one picture at a time.
    """

    def __init__(self, tree: FileTree, form: PictureForm, *, processes: int) -> None:
        self._tree, self._form, self._processes = tree, form, processes
        self._idle: SimpleQueue[subprocess.Popen[bytes] | None] = SimpleQueue()
        for _ in range(processes):
            self._idle.put(None)
        self._running = ExitStack()
        self._pool = ThreadPoolExecutor(processes or 1)
        finalize(self, self._running.close)
        finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)

    def decoded(self, entries: Sequence[Entry]) -> Iterator[Answer]:
        """What became of each picture, in this order.

        Raises:
            FaultError: a process ended while it decoded one.
        """
        share = -(-len(entries) // (self._processes or 1))
        together = min(max(share, FEWEST), TOGETHER)
        parts = [entries[at : at + together] for at in range(0, len(entries), together)]
        with self._tree.at_hand(entries):
            for answers in self._pool.map(self._decode, parts):
                yield from answers

    def _decode(self, entries: Sequence[Entry]) -> list[Answer]:
        if not self._processes:
            return [answer_to(self._tree, entry, self._form) for entry in entries]
        process = self._idle.get()
        try:
            process = process or self._start()
            return list(self._carry_out(process, entries))
        finally:
            self._idle.put(process)

    def _start(self) -> subprocess.Popen[bytes]:
        started = child(stream.__name__, str(self._tree.opened_as), self._form.text)
        return self._running.enter_context(started)

    def _carry_out(
        self, process: subprocess.Popen[bytes], entries: Sequence[Entry]
    ) -> Iterator[Answer]:
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError):  # it ended, as the missing answer tells
            process.stdin.write(to_line(list(enumerate(entries))))
            process.stdin.flush()
        for entry in entries:
            head = process.stdout.read(HEAD.size)
            is_decoded, length = HEAD.unpack(head) if len(head) == HEAD.size else (True, 0)
            content = process.stdout.read(length)
            if len(content) < length or not length:
                message = f"a decoder ended with {end_of(process)}"
                place = self._tree.place(entry.name)
                raise data_fault(message, hint="look at this file", place=place)
            yield Answer(content) if is_decoded else Answer(broken=content.decode())


_shared: WeakValueDictionary[tuple[str, str, int], Decoders] = WeakValueDictionary()


def shared_decoders(tree: FileTree, form: PictureForm, *, processes: int) -> Decoders:
    """The decoders that all splits of a source have in common."""
    key = (str(tree.opened_as), form.text, processes)
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = Decoders(tree, form, processes=processes)
    return found
