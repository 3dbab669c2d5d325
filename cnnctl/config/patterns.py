"""Patterns that choose weights by name: `conv1`, `residual*`, `torchvision1.layer1`, `*.bias`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import accumulate

from cnnctl.errors import Fault, Path, closest

MANY = 10
"""Names, above which a cure does not list them all."""


def select(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a pattern fits, as a whole or up to one of their dots.

    A layer's name so chooses all below it; * stands for any text, dots included.
    """
    return [name for name in names if any(fnmatchcase(part, pattern) for part in _heads(name))]


def unmatched(pattern: str, names: Sequence[str], *, path: Path) -> Fault:
    """The fault of a pattern that fits none of the names."""
    known = dict.fromkeys(head for name in names for head in _heads(name))
    # somebody who knows the names within a layer may leave the layer's own out
    within = {tail: name for name in reversed(known) for tail in _tails(name)}
    close = closest(pattern, known) or within.get(closest(pattern, within))
    if close:
        cure = f"did you mean {close}?"
    else:
        tops = list(dict.fromkeys(name.partition(".")[0] for name in names))
        more = f" and {len(tops) - MANY} more" if len(tops) > MANY else ""
        cure = f"layers with weights: {', '.join(tops[:MANY])}{more}; `cnnctl summary` shows them"
    return Fault(message=f"no layer with weights is named {pattern}", cure=cure, path=path)


def _heads(name: str) -> Iterable[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    return accumulate(name.split("."), "{}.{}".format)


def _tails(name: str) -> Iterator[str]:
    """`b.c` and `c` of `a.b.c`."""
    while name := name.partition(".")[2]:
        yield name
