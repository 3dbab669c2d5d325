"""Batches: what is computed together, what waits for whom, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from cnnctl.serving.batching import FullError, Lane, Worker

FOREVER = 1e6


def doubled(samples: list[int]) -> list[int]:
    return [2 * each for each in samples]


def run(
    scene: Callable[[Lane[int, int]], Coroutine[Any, Any, None]],
    compute: Callable[[list[int]], Sequence[int]] = doubled,
    *,
    largest: int = 8,
    wait: float = FOREVER,
    capacity: int = 100,
) -> list[int]:
    """Play a scene with a lane; the sizes of its batches."""
    worker, sizes = Worker(), list[int]()

    def note(samples: int, seconds: float) -> None:
        sizes.append(samples)

    lane = Lane(worker, compute, largest=largest, wait=wait, capacity=capacity, note=note)
    worker.start()
    asyncio.run(scene(lane))
    worker.stop()
    assert (lane.coming, lane.under_way) == (0, 0)
    return sizes


async def ask(lane: Lane[int, int], samples: Sequence[int], before: Awaitable[object]) -> list[int]:
    """Be a caller whose samples take some time to be read."""
    with lane.ticket() as ticket:
        await before
        ticket.reserve(len(samples))
        return await ticket.results(samples)


def test_a_caller_that_is_alone_does_not_wait() -> None:
    async def scene(lane: Lane[int, int]) -> None:
        assert await ask(lane, [1, 2], asyncio.sleep(0)) == [2, 4]
        assert await ask(lane, [3], asyncio.sleep(0)) == [6]

    assert run(scene) == [2, 1]


def test_those_who_have_begun_are_computed_together() -> None:
    async def scene(lane: Lane[int, int]) -> None:
        late = asyncio.Event()
        callers = [asyncio.create_task(ask(lane, [n], asyncio.sleep(0))) for n in range(3)]
        callers.append(asyncio.create_task(ask(lane, [3, 4], late.wait())))
        while len(lane.waiting) < 3:
            await asyncio.sleep(0)
        late.set()
        assert await asyncio.gather(*callers) == [[0], [2], [4], [6, 8]]

    assert run(scene) == [5]


def test_a_batch_waits_for_late_callers_only_for_a_moment() -> None:
    async def scene(lane: Lane[int, int]) -> None:
        late = asyncio.Event()
        slow = asyncio.create_task(ask(lane, [9], late.wait()))
        await asyncio.sleep(0)
        assert await ask(lane, [1], asyncio.sleep(0)) == [2]
        late.set()
        assert await slow == [18]

    assert run(scene, wait=0.01) == [1, 1]


def test_a_full_batch_waits_for_nobody_and_many_samples_are_several_batches() -> None:
    async def scene(lane: Lane[int, int]) -> None:
        late = asyncio.Event()
        slow = asyncio.create_task(ask(lane, [0], late.wait()))
        await asyncio.sleep(0)
        many = [*range(16)]
        assert await ask(lane, many, asyncio.sleep(0)) == [2 * each for each in many]
        late.set()
        await slow

    assert run(scene) == [8, 8, 1]


def test_what_cannot_wait_is_refused_and_there_is_room_again() -> None:
    async def scene(lane: Lane[int, int]) -> None:
        with lane.ticket() as first:
            first.reserve(3)
            with lane.ticket() as second, pytest.raises(FullError):
                second.reserve(2)
        assert await ask(lane, [1, 2, 3, 4], asyncio.sleep(0)) == [2, 4, 6, 8]

    assert run(scene, capacity=4) == [4]


def test_an_error_is_that_of_its_callers_alone() -> None:
    def compute(samples: list[int]) -> list[int]:
        if 0 in samples:
            raise ZeroDivisionError
        return samples

    async def scene(lane: Lane[int, int]) -> None:
        with pytest.raises(ZeroDivisionError):
            await ask(lane, [1, 0], asyncio.sleep(0))
        assert await ask(lane, [1], asyncio.sleep(0)) == [1]

    assert run(scene, compute) == [2, 1]


def test_a_caller_who_leaves_takes_no_room() -> None:
    async def scene(lane: Lane[int, int]) -> None:
        leaving = asyncio.create_task(ask(lane, [1], asyncio.sleep(FOREVER)))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await ask(lane, [2], asyncio.sleep(0)) == [4]

    assert run(scene) == [1]
