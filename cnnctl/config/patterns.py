"""Patterns that choose weights by name: `conv1`, `residual*`, `torchvision1.layer1`, `*.bias`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from itertools import accumulate

from cnnctl.errors import SHOWN, ConfigPath, Fault, closest, did_you_mean

MANY = 10
"""Number of names above which a hint does not list them all."""
_IS_PATTERN = re.compile(r"[*?[]")


class Names:
    """The names of weights, to be matched by many patterns."""

    def __init__(self, names: Iterable[str]) -> None:
        self.whole = list(names)
        self.below: dict[str, list[str]] = {}
        for name in self.whole:
            for head in _heads(name):
                self.below.setdefault(head, []).append(name)

    def select(self, pattern: str) -> list[str]:
        """The names that a pattern matches, as a whole or up to a dot.

        A layer's name therefore selects everything in it; * matches any text, including dots.
        """
        if not _IS_PATTERN.search(pattern):
            return self.below.get(pattern, [])
        fits = re.compile(translate(pattern)).match
        chosen = {name for head, below in self.below.items() if fits(head) for name in below}
        return [name for name in self.whole if name in chosen]


def unmatched(patterns: Iterable[tuple[ConfigPath, str]], names: Sequence[str]) -> list[Fault]:
    """Faults for the patterns that match no name, each at its path.

    Only the first ones, which are shown, have a hint.
    """
    known = Names(names)
    missed = [(path, pattern) for path, pattern in patterns if not known.select(pattern)]
    return [
        Fault(
            message=f"no layer with weights is named {pattern}",
            hint=_meant(pattern, known) if index < SHOWN else "",
            path=path,
        )
        for index, (path, pattern) in enumerate(missed)
    ]


def _meant(pattern: str, names: Names) -> str:
    """A hint: similar names, or a list of all."""
    if close := closest(pattern, names.below):
        return did_you_mean(close)
    # the user may have left out the name of the enclosing layer
    within = {tail: name for name in reversed(names.below) for tail in _tails(name)}
    if close := closest(pattern, within):
        return did_you_mean([within[tail] for tail in close])
    tops = list(dict.fromkeys(name.partition(".")[0] for name in names.whole))
    more = f" and {len(tops) - MANY} more" if len(tops) > MANY else ""
    return f"layers with weights: {', '.join(tops[:MANY])}{more}; `cnnctl summary` shows them"


def _heads(name: str) -> Iterable[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    return accumulate(name.split("."), "{}.{}".format)


def _tails(name: str) -> Iterator[str]:
    """`b.c` and `c` of `a.b.c`."""
    while name := name.partition(".")[2]:
        yield name
