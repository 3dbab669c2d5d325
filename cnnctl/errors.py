"""A fault that a user can mend: its place, what is wrong, the cure, and the exit code.

Everything else that is raised is a bug of ours and keeps its traceback.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum

Path = tuple[str | int, ...]
"""Where something stands in an experiment: keys, and positions in lists."""


class ExitCode(IntEnum):
    """How a command ends."""

    DONE = 0
    BUG = 1
    USAGE = 2
    DATA = 3
    CHECKPOINT = 4
    IN_USE = 5
    STORAGE = 6
    DIVERGED = 7
    OUT_OF_MEMORY = 8
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing to mend. `place` is a file with line and column, filled in once it is known."""

    message: str
    cure: str = ""
    path: Path = ()
    place: str = ""
    at_key: bool = False
    """The fault is the key at `path` itself, not its value."""

    def __str__(self) -> str:
        head = ": ".join(part for part in (self.place, dotted(self.path), self.message) if part)
        return f"{head}\n    {self.cure}" if self.cure else head


class FaultError(Exception):
    """One or more faults, all that were found, and the exit code they end a command with."""

    def __init__(self, *faults: Fault, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
        self.exit_code = exit_code


def config_fault(message: str, *, cure: str = "", path: Path = ()) -> FaultError:
    """A fault in a configuration, at this path of it."""
    return FaultError(Fault(message=message, cure=cure, path=path))


def data_fault(message: str, *, cure: str = "", place: str = "") -> FaultError:
    """A fault in the data."""
    return FaultError(Fault(message=message, cure=cure, place=place), exit_code=ExitCode.DATA)


def checkpoint_fault(message: str, *, cure: str = "", place: str = "") -> FaultError:
    """A fault in a checkpoint, or in what is asked of it."""
    return FaultError(Fault(message=message, cure=cure, place=place), exit_code=ExitCode.CHECKPOINT)


def storage_fault(message: str, *, cure: str = "", place: str = "") -> FaultError:
    """Something that could not be written or read."""
    return FaultError(Fault(message=message, cure=cure, place=place), exit_code=ExitCode.STORAGE)


def under(prefix: Path, error: FaultError) -> FaultError:
    """The same faults with their paths put below `prefix`."""
    moved = (replace(fault, path=(*prefix, *fault.path)) for fault in error.faults)
    return FaultError(*moved, exit_code=error.exit_code)


@contextmanager
def below(*prefix: str | int) -> Iterator[None]:
    """Put the paths of the faults raised inside below `prefix`."""
    try:
        yield
    except FaultError as error:
        raise under(prefix, error) from None


@contextmanager
def gathered(faults: list[Fault], *prefix: str | int) -> Iterator[None]:
    """Add the faults raised inside to a list, their paths put below `prefix`."""
    try:
        yield
    except FaultError as error:
        faults += under(prefix, error).faults


def dotted(path: Path) -> str:
    """`("model", "layers", 3)` as `model.layers.3`, the form that overrides take."""
    return ".".join(map(str, path))


def nearest(word: str, known: Sequence[str]) -> str:
    """`did you mean …?`, or a list of what there is when nothing is close."""
    if close := closest(word, known):
        return f"did you mean {close}?"
    return f"known: {', '.join(known)}" if known else ""


def closest(word: str, known: Iterable[str]) -> str:
    """What is known and is most like a word; empty when nothing is close."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)), "")
