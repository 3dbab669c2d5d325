"""The processes that train one network together, its ranks; usually there is only one.

They are started by torchrun, which sets RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE,
MASTER_ADDR and MASTER_PORT. Nothing is pickled: data travels as tensors, or as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from cnnctl.contact import Contact
from cnnctl.errors import ExitCode, Fault, FaultError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Work

BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""The integer type with so many bytes."""


class Group(Protocol):
    """What ranks use of a process group."""

    def allreduce(self, tensors: list[Tensor], /) -> Work:
        """Sum tensors in place."""

    def broadcast(self, tensors: list[Tensor], /) -> Work:
        """Replace tensors by those of rank 0."""


@dataclass(frozen=True, slots=True)
class Link:
    """The connections of a rank to all others."""

    group: Group
    contact: Contact


@dataclass(frozen=True, slots=True)
class World:
    """The ranks of a training, and this one among them; by default, one process on its own.

    Every method is called by all ranks, in the same order. What a method returns is the same on
    all of them, to the bit. One that does not answer ends all others.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """This rank on its machine."""
    local_size: int = 1
    """The number of ranks on this machine."""
    link: Link | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes: rank 0."""
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the ranks, in place; it has the same shape on all.

        Raises:
            FaultError: a rank is lost (exit code 10).
        """
        if self.link is not None:
            with self.link.contact.finding_who_is_lost():
                self.link.group.allreduce([tensor]).wait()
        return tensor

    def broadcast_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by that of rank 0; it has the same shape on all.

        Raises:
            FaultError: a rank is lost (exit code 10).
        """
        if self.link is not None:
            with self.link.contact.finding_who_is_lost():
                self.link.group.broadcast([tensor]).wait()
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""
        return flag if self.size == 1 else bool(self.sum_(torch.tensor(int(flag))))

    def share(self, data: Any) -> Any:
        """Plain data of rank 0, on all ranks."""
        return data if self.size == 1 else json.loads(self.share_bytes(json.dumps(data).encode()))

    def share_bytes(self, content: bytes) -> bytes:
        """Bytes of rank 0, on all ranks."""
        if self.size == 1:
            return content
        count = int(self.broadcast_(torch.tensor(len(content))))
        own = content if self.is_first else bytes(count)
        return self.broadcast_(_bytes(own)).numpy().tobytes()

    def gather(self, data: Any) -> list[Any]:
        """The plain data of every rank, by rank."""
        if self.size == 1:
            return [data]
        own = _bytes(json.dumps(data).encode())
        counts = self.stack(torch.tensor(len(own)))
        table = own.new_zeros(int(counts.max()))
        table[: len(own)] = own
        rows = zip(self.stack(table), counts.tolist(), strict=True)
        return [json.loads(row[:count].numpy().tobytes()) for row, count in rows]

    def stack(self, tensor: Tensor) -> Tensor:
        """The tensors of all ranks, (size, …); each has the same shape."""
        table = tensor.new_zeros(self.size, *tensor.shape)
        table[self.rank] = tensor
        # summed as integers, which leaves the bits of every number as they are, also those of -0
        self.sum_(table.view(BITS[table.element_size()]))
        return table

    def meet(self) -> None:
        """Wait for all ranks, however long they take, as long as they are alive.

        Collectives wait less: this comes before one, after work that only one rank has done.

        Raises:
            FaultError: a rank is lost (exit code 10).
        """
        if self.link is not None:
            self.link.contact.meet()

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """The first rank of every machine does this, then all others, who find what it has made.

        Once in the life of a world, for what it leaves on disk.
        """
        if self.link is not None and self.local_rank:
            self.link.contact.wait_for(self._prepared)
        yield
        self._mark_prepared()

    @property
    def _prepared(self) -> str:
        return f"prepared/{self.rank - self.local_rank}"

    def _mark_prepared(self) -> None:
        if self.link is not None and not self.local_rank:
            self.link.contact.mark(self._prepared)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What fails on one rank fails on all of them, after all have tried; rank 0 says why."""
        own: FaultError | None = None
        try:
            yield
        except FaultError as error:
            if self.size == 1 or error.exit_code is ExitCode.RANK_LOST:
                raise
            own = error
            self._mark_prepared()  # nobody needs to wait for that
        self.meet()
        found = self.gather(own and {"code": own.exit_code, "faults": list(map(str, own.faults))})
        raise_failures(self, own, found)


ALONE = World()
"""One process on its own."""


def raise_failures(world: World, own: FaultError | None, found: list[Any]) -> None:
    """Raise what failed on any rank: on rank 0 with its faults, elsewhere without a word."""
    failed = {rank: failure for rank, failure in enumerate(found) if failure}
    if not failed:
        return
    if own is not None and world.is_first:
        raise own
    faults = [
        Fault(message=f"rank {rank}: {text}", hint="every rank needs the same files and packages")
        for rank, failure in failed.items()
        for text in failure["faults"]
    ]
    code = ExitCode(next(iter(failed.values()))["code"])
    raise FaultError(*(faults if world.is_first else ()), exit_code=code)


def _bytes(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content or b" "), dtype=torch.uint8)[: len(content)]
