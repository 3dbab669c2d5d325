"""Samples of several requests, computed together by one thread; knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar

Sample = TypeVar("Sample")
Result = TypeVar("Result")


class FullError(Exception):
    """More samples are under way than a lane takes."""


@dataclass(eq=False)
class _Order(Generic[Result]):
    """The samples that one caller waits for."""

    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[list[Result]]
    missing: int
    results: dict[int, Result] = field(default_factory=dict)
    error: BaseException | None = None

    def settle(self) -> None:
        """Tell the caller; in its own thread."""
        if self.done.done():  # the caller has left
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result([self.results[at] for at in range(len(self.results))])


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Sample, Result]):
    since: float
    at: int
    """The position among the samples of its order."""
    sample: Sample
    order: _Order[Result]


class Lane(Generic[Sample, Result]):
    """Samples of one kind, which are computed together.

    Callers are coroutines of one event loop. A batch waits for those that have a ticket, up to
    `wait` seconds from the arrival of its first sample; a caller that is alone never waits.
    """

    def __init__(
        self,
        worker: Worker,
        compute: Callable[[list[Sample]], Sequence[Result]],
        *,
        largest: int,
        wait: float,
        capacity: int,
        note: Callable[[int, float], object] = lambda _samples, _seconds: None,
    ) -> None:
        """Add a lane to a worker.

        compute: takes up to `largest` samples, and returns a result for each, in their order.
        capacity: samples that may be under way, from their reservation to their results.
        note: is told the number of samples of every batch, and the seconds that it took.
        """
        self.compute, self.largest, self.wait, self.note = compute, largest, wait, note
        self.capacity, self.under_way = capacity, 0
        self.waiting = deque[_Waiting[Sample, Result]]()
        self.coming = 0
        """Callers whose samples are on their way."""
        self.wake = worker.wake
        worker.lanes.append(self)

    @contextmanager
    def ticket(self) -> Iterator[Ticket[Sample, Result]]:
        """The place of a caller, from when it begins to read its samples to its results."""
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            ticket.arrive()
            self.under_way -= ticket.reserved

    def due(self) -> float:
        """When the waiting samples are to be computed, as a time of `monotonic`; 0 for at once."""
        if len(self.waiting) >= self.largest or not self.coming:
            return 0.0
        return self.waiting[0].since + self.wait

    def run(self) -> None:
        """Compute a batch of waiting samples, and tell their callers; in the worker's thread."""
        count = min(self.largest, len(self.waiting))
        batch = [self.waiting.popleft() for _ in range(count)]
        begun = monotonic()
        try:
            results = self.compute([each.sample for each in batch])
        except Exception as error:
            for each in batch:
                each.order.error = error
        else:
            for each, result in zip(batch, results, strict=True):
                each.order.results[each.at] = result
        self.note(count, monotonic() - begun)
        for each in batch:
            each.order.missing -= 1
        settled = [order for order in {e.order: None for e in batch} if not order.missing]
        if settled:
            settled[0].loop.call_soon_threadsafe(_settle, settled)


def _settle(orders: Sequence[_Order[Any]]) -> None:
    for order in orders:
        order.settle()


class Ticket(Generic[Sample, Result]):
    """The place of a caller in a lane."""

    def __init__(self, lane: Lane[Sample, Result]) -> None:
        self._lane, self._is_coming, self.reserved = lane, True, 0
        lane.coming += 1

    def reserve(self, count: int) -> None:
        """Take room for so many samples, which is to be done before they are decoded.

        Raises:
            FullError: there is none.
        """
        if self._lane.under_way + count > self._lane.capacity:
            raise FullError
        self._lane.under_way += count
        self.reserved += count

    def arrive(self) -> None:
        """Let nobody wait for this caller any longer."""
        if self._is_coming:
            self._is_coming = False
            self._lane.coming -= 1
            if not self._lane.coming and self._lane.waiting:
                self._lane.wake()

    async def results(self, samples: Sequence[Sample]) -> list[Result]:
        """The results for some samples, in their order; raises what `compute` raises."""
        if not samples:
            return []
        lane, loop, now = self._lane, asyncio.get_running_loop(), monotonic()
        order = _Order[Result](loop, loop.create_future(), len(samples))
        lane.waiting.extend(_Waiting(now, at, each, order) for at, each in enumerate(samples))
        self.arrive()
        if len(lane.waiting) <= len(samples) or len(lane.waiting) >= lane.largest:
            lane.wake()
        return await order.done


class Worker:
    """The one thread that computes: two at once would share the same cores."""

    def __init__(self) -> None:
        self.lanes: list[Lane[Any, Any]] = []
        self._woken = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        """Begin to compute what is in the lanes."""
        self._thread.start()

    def stop(self) -> None:
        """End once all that waits has been computed."""
        self._is_over = True
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """Look at the lanes again."""
        self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            busy = [(lane.due(), lane) for lane in self.lanes if lane.waiting]
            if not busy:
                if self._is_over:
                    return
                self._woken.wait()
                continue
            when, lane = min(busy, key=lambda each: each[0])
            left = when - monotonic()
            if left > 0 and not self._is_over:
                self._woken.wait(left)
            else:
                lane.run()
