"""Contact between the ranks of a training beside their collectives: who is alive, and who is not.

Every rank beats in a store that outlives it, torchrun's, and leaves a note there if it fails. A
broken collective only says that some peer is gone; beats and notes say which one and why.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from cnnctl.errors import ExitCode, Fault, FaultError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

BEAT_SECONDS = 0.5
WATCHED_SECONDS = 3.0
"""How long to look at beats and notes when a collective fails."""
STARTING_SECONDS = 60.0
"""How long to wait for ranks that have not yet begun, at least."""
SAVING_SECONDS = 30.0
"""How long a rank without a launcher may take to save its state."""
POLL_SECONDS = 0.002, 0.05
"""The first and the longest pause between looks at what others have written."""
FAILED, LEFT = "failed", "left"
"""Keys of a note: a rank's own fault, and a departure because of another rank."""


@dataclass(slots=True)
class Contact:
    """The beats, notes and meetings of one rank."""

    store: Store
    rank: int
    size: int
    address: str
    """Host and port of the store."""
    timeout: float
    """Seconds without a beat after which a rank is given up."""
    meetings: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)
    is_cut_off: bool = False
    """Whether the store does not answer any more."""
    answered: float = 0.0
    """When the store last answered."""
    thread: threading.Thread | None = None
    beats: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    """The last beat seen of each rank, and when it was first seen."""

    def begin(self) -> None:
        """Beat from now on, in a thread with a connection of its own."""
        self.store.set(f"who/{self.rank}", f"{socket.gethostname()}, process {os.getpid()}")
        self.answered = time.monotonic()
        own = self.store.clone()
        self.thread = threading.Thread(target=self._keep_beating, args=(own,), daemon=True)
        self.thread.start()
        threading.Thread(target=self._watch_the_store, daemon=True).start()

    def _keep_beating(self, store: Store) -> None:
        key, number = f"beat/{self.rank}", 0
        try:
            while not self.is_over.is_set():
                store.set(key, str(number))
                store.get(key)  # waits for an answer, as setting does not
                self.answered = time.monotonic()
                number += 1
                self.is_over.wait(BEAT_SECONDS)
        except RuntimeError:
            self.answered = -inf

    def _watch_the_store(self) -> None:
        """Without launcher or rank 0, save the training, as at a signal, and end it.

        A stopped launcher keeps its connections: whoever waits for its answer waits forever.
        """
        while time.monotonic() - self.answered < self.timeout:
            if self.is_over.wait(BEAT_SECONDS):
                return
        self.is_cut_off = True
        os.kill(os.getpid(), signal.SIGTERM)
        if not self.is_over.wait(SAVING_SECONDS):
            os.write(2, f"{self._cut_off().faults[0]}\n".encode())
            os._exit(ExitCode.RANK_LOST)

    def _cut_off(self) -> FaultError:
        return lost([f"the launcher, or rank 0, does not respond at {self.address}"])

    def meet(self) -> None:
        """Wait for all ranks, however long they take, as long as they are alive.

        Raises:
            FaultError: one failed, or does not respond.
        """
        self.meetings += 1
        places = [f"meeting/{self.meetings}/{rank}" for rank in range(self.size)]
        self.mark(places[self.rank])
        self.wait_for(*places)

    def mark(self, key: str) -> None:
        """Let all ranks know of something, by its key."""
        with self.finding_who_is_lost():
            if self.is_cut_off:
                raise self._cut_off()
            self.store.set(key, "")

    def wait_for(self, *keys: str) -> None:
        """Wait until all of these are marked.

        Raises:
            FaultError: a rank failed, or does not respond.
        """
        pause, longest = POLL_SECONDS
        with self.finding_who_is_lost():
            while not self.store.check(list(keys)):
                self._raise_if_lost()
                time.sleep(pause)
                pause = min(2 * pause, longest)

    def _raise_if_lost(self) -> None:
        if failed := self._failed():
            raise lost(failed)
        now = time.monotonic()
        self._look(now)
        patience = self.timeout if self.meetings > 1 else max(self.timeout, STARTING_SECONDS)
        silent = [r for r, (_, since) in self.beats.items() if now - since > patience]
        if silent:
            raise lost(self._silent(silent))

    def _look(self, now: float) -> None:
        for rank, beat in enumerate(self._beats()):
            if rank not in self.beats or self.beats[rank][0] != beat:
                self.beats[rank] = beat, now

    @contextmanager
    def finding_who_is_lost(self) -> Iterator[None]:
        """Turn the error of a broken connection into a fault that names the lost rank."""
        try:
            yield
        except RuntimeError as error:
            raise self._found(error) from error

    def _found(self, error: RuntimeError) -> FaultError:
        if self.is_cut_off:
            return self._cut_off()
        try:
            beats = self._beats()
            end = time.monotonic() + WATCHED_SECONDS
            while time.monotonic() < end:
                if failed := self._failed():
                    return lost(failed)
                time.sleep(BEAT_SECONDS / 2)
            left = self._notes()
            silent = [
                rank
                for rank, (before, after) in enumerate(zip(beats, self._beats(), strict=True))
                if before == after and rank not in left and rank != self.rank
            ]
            if silent:
                return lost(self._silent(silent))
        except RuntimeError:
            return self._cut_off()
        return lost([f"the connection between ranks broke: {str(error).partition(chr(10))[0]}"])

    def _beats(self) -> list[bytes]:
        """The last beat of each rank; empty for one that has not yet begun."""
        keys = [f"beat/{rank}" for rank in range(self.size)]
        return [self.store.get(key) if self.store.check([key]) else b"" for key in keys]

    def _notes(self) -> dict[int, dict[str, str]]:
        keys = {rank: f"note/{rank}" for rank in range(self.size) if rank != self.rank}
        there = {rank: key for rank, key in keys.items() if self.store.check([key])}
        return {rank: json.loads(self.store.get(key)) for rank, key in there.items()}

    def _failed(self) -> list[str]:
        notes = self._notes().items()
        return [f"rank {rank} failed: {note[FAILED]}" for rank, note in notes if FAILED in note]

    def _silent(self, ranks: list[int]) -> list[str]:
        keys = {rank: f"who/{rank}" for rank in ranks}
        return [
            f"rank {rank} ({self.store.get(key).decode()}) does not respond"
            if self.store.check([key])
            else f"rank {rank} was not started"
            for rank, key in keys.items()
        ]

    def leave(self, error: BaseException | None) -> None:
        """Stop beating, after all have met; or with a note, after an error."""
        self.is_over.set()
        if self.is_cut_off:
            return
        if self.thread is not None:  # which must not be in the store when Python ends
            self.thread.join(self.timeout)
        with suppress(RuntimeError, FaultError):
            if error is None:
                self.meet()
            else:
                self.store.set(f"note/{self.rank}", json.dumps(_note(error)))


def _note(error: BaseException) -> dict[str, str]:
    if isinstance(error, FaultError):
        is_own = error.exit_code is not ExitCode.RANK_LOST and error.faults
        return {FAILED: str(error.faults[0]).partition("\n")[0]} if is_own else {LEFT: ""}
    return {FAILED: f"{type(error).__name__}: {error}".partition("\n")[0]}


def lost(reasons: list[str]) -> FaultError:
    """The fault for lost ranks."""
    hint = "resume from the last checkpoint with --resume"
    faults = [Fault(message=reason, hint=hint) for reason in reasons]
    return FaultError(*faults, exit_code=ExitCode.RANK_LOST)
