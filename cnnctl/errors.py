"""Errors that the user can fix: place, message, hint and exit code.

Any other exception is a bug in cnnctl and keeps its traceback.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum

from cnnctl.escaping import visible

ConfigPath = tuple[str | int, ...]
"""Path in an experiment: keys, and positions in lists."""


class ExitCode(IntEnum):
    """Exit codes of the commands."""

    DONE = 0
    BUG = 1
    USAGE = 2
    DATA = 3
    CHECKPOINT = 4
    IN_USE = 5
    STORAGE = 6
    DIVERGED = 7
    OUT_OF_MEMORY = 8
    DIFFERENT = 9
    RANK_LOST = 10
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One error to fix. `place` is a file with line and column, set once it is known."""

    message: str
    hint: str = ""
    path: ConfigPath = ()
    place: str = ""
    at_key: bool = False
    """Whether the fault is the key at `path` itself, not its value."""

    def to_json(self) -> dict[str, str]:
        """The fault as plain data."""
        return {
            "place": self.place,
            "option": dotted(self.path),
            "message": self.message,
            "hint": self.hint,
        }

    def __str__(self) -> str:
        head = ": ".join(part for part in (self.place, dotted(self.path), self.message) if part)
        return "\n    ".join(visible(line) for line in (head, self.hint) if line)


class FaultError(Exception):
    """One or more faults, and the exit code of the command.

    Of many, `faults` are those to show, the last of which counts the others, and `every` are all.
    """

    def __init__(
        self,
        *faults: Fault,
        exit_code: ExitCode = ExitCode.USAGE,
        every: Sequence[Fault] = (),
    ) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
        self.exit_code = exit_code
        self.every = tuple(every) or faults

    def __reduce__(self) -> tuple[object, ...]:
        """How a copy or another process gets it: with all that it was made from."""
        return _restored, (self.faults, self.exit_code, self.every)


def _restored(faults: Sequence[Fault], exit_code: ExitCode, every: Sequence[Fault]) -> "FaultError":
    return FaultError(*faults, exit_code=exit_code, every=every)


def config_fault(message: str, *, hint: str = "", path: ConfigPath = ()) -> FaultError:
    """A fault in a configuration, at this path."""
    return FaultError(Fault(message=message, hint=hint, path=path))


def data_fault(message: str, *, hint: str = "", place: str = "") -> FaultError:
    """A fault in the data."""
    return FaultError(Fault(message=message, hint=hint, place=place), exit_code=ExitCode.DATA)


def checkpoint_fault(message: str, *, hint: str = "", place: str = "") -> FaultError:
    """A fault in a checkpoint or its use."""
    return FaultError(Fault(message=message, hint=hint, place=place), exit_code=ExitCode.CHECKPOINT)


def storage_fault(message: str, *, hint: str = "", place: str = "") -> FaultError:
    """A fault for something that could not be written or read."""
    return FaultError(Fault(message=message, hint=hint, place=place), exit_code=ExitCode.STORAGE)


def under(prefix: ConfigPath, error: FaultError) -> FaultError:
    """The same faults, with `prefix` prepended to their paths."""
    faults, every = (
        [replace(fault, path=(*prefix, *fault.path)) for fault in some]
        for some in (error.faults, error.every)
    )
    return FaultError(*faults, exit_code=error.exit_code, every=every)


def data_faults(faults: Sequence[Fault], *, last: Fault | None = None) -> FaultError:
    """Many faults in the data, of which the first are shown and the others counted.

    `last` sums them up; otherwise, a line counts those that are not shown.
    """
    every = [*faults, *([last] if last else [])]
    if len(every) <= SHOWN:
        return FaultError(*every, exit_code=ExitCode.DATA)
    if last is None:
        more = f"and {len(every) - SHOWN + 1:,} more errors"
        last = Fault(message=more, hint="`cnnctl check --data --json` lists all of them")
    return FaultError(*every[: SHOWN - 1], last, exit_code=ExitCode.DATA, every=every)


@contextmanager
def below(*prefix: str | int) -> Iterator[None]:
    """Prepend `prefix` to the paths of faults raised inside."""
    try:
        yield
    except FaultError as error:
        raise under(prefix, error) from None


@contextmanager
def gathered(faults: list[Fault], *prefix: str | int) -> Iterator[None]:
    """Add faults raised inside to a list, with `prefix` prepended to their paths."""
    try:
        yield
    except FaultError as error:
        faults += under(prefix, error).every


def dotted(path: ConfigPath) -> str:
    """`("model", "layers", 3)` as `model.layers.3`, the form used in overrides."""
    return ".".join(map(str, path))


SHOWN = 20
"""Maximum number of faults to show per file; the others are counted."""
MOST_FAULTS = 100_000
"""Maximum number of faults of one column or file that are gathered."""
MAX_WORD = 100
"""Length above which a word is not compared with others."""
MOST_CLOSE = 3
"""Maximum number of words in a suggestion."""


def nearest(word: str, known: Sequence[str]) -> str:
    """`did you mean …?`, or a list of all known words if none is similar."""
    if close := closest(word, known):
        return did_you_mean(close)
    return f"known: {', '.join(known)}" if known else ""


def did_you_mean(words: Sequence[object]) -> str:
    """`did you mean a, b or c?`; empty for no words."""
    return f"did you mean {either(words)}?" if words else ""


def either(words: Sequence[object]) -> str:
    """`a, b or c`; empty for no words."""
    *others, last = map(str, words) if words else ("",)
    return " or ".join(filter(None, (", ".join(others), last)))


def closest(word: str, known: Collection[str]) -> list[str]:
    """The known words that are most similar to a word; several if they are equally close.

    Up to two edits count as a typo, or up to a third of a longer word, if most letters are present;
    otherwise the word can be part of another, such as `kernel` of `kernel_size`.
    """
    if len(word) > MAX_WORD:
        return []
    word, best, found = word.lower(), max(2, len(word) // 3), list[str]()
    for candidate in known:
        longer = max(len(word), len(candidate))
        edits = edit_distance(word, candidate.lower(), at_most=min(best, longer // 2))
        if edits > min(best, longer // 2) or 2 * len(_common(word, candidate.lower())) <= longer:
            continue
        if edits < best:
            best, found = edits, []
        found.append(candidate)
    found = found or [candidate for candidate in known if word in candidate.lower().split("_")]
    alike = sorted(found, key=lambda candidate: _likeness(word, candidate.lower()), reverse=True)
    return alike[:MOST_CLOSE]


def _common(word: str, candidate: str) -> list[str]:
    """The common letters, with multiplicity."""
    return list((Counter(word) & Counter(candidate)).elements())


def _likeness(word: str, candidate: str) -> tuple[bool, int]:
    """Tie-breaker for equal distances: the same first letter, then more common letters."""
    return word[:1] == candidate[:1], len(_common(word, candidate))


def edit_distance(word: str, other: str, *, at_most: int) -> int:
    """Number of insertions, deletions, substitutions and swaps of neighbours between two words.

    The restricted Damerau-Levenshtein distance (optimal string alignment); anything above `at_most`
    is returned as `at_most + 1`.
    """
    if abs(len(word) - len(other)) > at_most:
        return at_most + 1
    before, row = [0] * (len(other) + 1), list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        earlier, before, row = before, row, [i]
        for j, letter_there in enumerate(other, 1):
            edits = min(row[-1] + 1, before[j] + 1, before[j - 1] + (letter != letter_there))
            if i > 1 and j > 1 and word[i - 2] == letter_there and letter == other[j - 2]:
                edits = min(edits, earlier[j - 2] + 1)
            row.append(edits)
        if min(row) > at_most and min(before) > at_most:
            return at_most + 1
    return row[-1]
