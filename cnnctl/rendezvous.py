"""How the ranks that torchrun has started find each other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import torch

from cnnctl.contact import POLL_SECONDS, STARTING_SECONDS, Contact
from cnnctl.errors import config_fault
from cnnctl.world import ALONE, Link, World

if TYPE_CHECKING:
    from torch._C._distributed_c10d import ProcessGroup, Store

TIMEOUT = "CNNCTL_RANK_TIMEOUT"
"""The variable for the seconds to wait for another rank."""
DEFAULT_TIMEOUT = 60.0
TORCHRUN = "start it with torchrun --nproc-per-node 2 -m cnnctl …"


@contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Iterator[World]:
    """The world that torchrun has started, left at the end; one process if it has started none.

    Raises:
        FaultError: a variable is missing or wrong, or the ranks do not find each other.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        yield ALONE
        return
    from torch import distributed

    timeout = timeout_of(environment)
    rank, size, local_rank, local_size, port = (
        _number(environment, name)
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
    )
    address = f"{_given(environment, 'MASTER_ADDR')}:{port}"
    with _meeting_at(address):
        store = _store(rank, size, timeout)
        contact = Contact(store.clone(), rank, size, address, timeout)
        contact.begin()
        contact.meet()
        group = _group(store, rank, size, timeout)
    try:
        yield World(rank, size, local_rank, local_size, Link(group, contact))
    except BaseException as error:
        contact.leave(error)
        raise
    contact.leave(None)
    distributed.destroy_process_group()


@contextmanager
def _meeting_at(address: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0]
        message = f"the ranks do not find each other at MASTER_ADDR {address}: {reason}"
        hint = "check the address, the firewall, and that every rank was started"
        raise config_fault(message, hint=hint) from None


def _store(rank: int, size: int, timeout: float) -> Store:
    """The store at MASTER_ADDR, by a prefix of this start of the ranks."""
    from torch._C._distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    limit = timedelta(seconds=timeout)
    store: Store
    store, *_ = next(rendezvous("env://", rank, size, timeout=limit))
    store.set_timeout(limit)
    return PrefixStore(round_of(store, rank, size, patience=max(timeout, STARTING_SECONDS)), store)


def _group(store: Store, rank: int, size: int, timeout: float) -> ProcessGroup:
    """The connections to all ranks: gloo for tensors of the CPU, and NCCL for those of GPUs."""
    from torch import distributed

    has_nccl = torch.cuda.is_available() and distributed.is_nccl_available()
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if has_nccl else "gloo",
        store=store,
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=timeout),
    )
    group = distributed.group.WORLD
    assert group is not None
    return group


def timeout_of(environment: Mapping[str, str]) -> float:
    """Seconds to wait for another rank."""
    text = environment.get(TIMEOUT, str(DEFAULT_TIMEOUT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        message = f"{TIMEOUT}={text} is not a number of seconds from 1 to 86400"
        raise config_fault(message, hint="leave it out, or use 60")
    return seconds


def _given(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise config_fault(f"WORLD_SIZE is set, but {name} is not", hint=TORCHRUN)
    return environment[name]


def _number(environment: Mapping[str, str], name: str) -> int:
    text = _given(environment, name)
    if not text.isdecimal():
        raise config_fault(f"{name}={text} is not a number", hint=TORCHRUN)
    return int(text)


def round_of(store: Store, rank: int, size: int, *, patience: float) -> str:
    """A name for this start of the ranks that no earlier start has in the same store.

    After a restart by torchrun, the keys of the ranks before are still there, and its count of
    restarts may differ between machines. So rank 0 gives a new name to whoever asks for it by a
    new number.

    Raises:
        TimeoutError: a rank was not started in so many seconds.
    """
    own, end = uuid4().hex, time.monotonic() + patience
    if rank:
        store.set(f"asks/{rank}", own)
        store.wait([f"name/{own}"], timedelta(seconds=patience))
        name = store.get(f"name/{own}").decode()
        store.set(f"{name}/{rank}", "")
        return name
    while missing := [r for r in range(1, size) if not store.check([f"{own}/{r}"])]:
        for asking in (f"asks/{r}" for r in missing):
            if store.check([asking]):
                store.set(f"name/{store.get(asking).decode()}", own)
        if time.monotonic() > end:
            raise TimeoutError(f"rank {missing[0]} was not started")
        time.sleep(POLL_SECONDS[0])
    return own
