"""Ranks for tests: threads of this process, or processes as torchrun starts them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar, cast

from torch._C._distributed_c10d import HashStore, PrefixStore, ProcessGroupGloo, Store

from cnnctl.contact import Contact
from cnnctl.world import Group, Link, World

T = TypeVar("T")
TIMEOUT = 20.0


def in_threads(size: int, work: Callable[[World], T]) -> list[T]:
    """What each of so many ranks returns; they share the process, and so its random state."""
    store = HashStore()

    def of_rank(rank: int) -> T:
        world = world_of(store, rank, size)
        assert world.link is not None
        try:
            return work(world)
        finally:
            world.link.contact.is_over.set()

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(of_rank, range(size)))


def world_of(store: Store, rank: int, size: int) -> World:
    group = ProcessGroupGloo(PrefixStore("group", store), rank, size, timedelta(seconds=TIMEOUT))
    contact = Contact(PrefixStore("contact", store), rank, size, "here", TIMEOUT)
    contact.begin()
    return World(rank, size, rank, size, Link(cast(Group, group), contact))


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
