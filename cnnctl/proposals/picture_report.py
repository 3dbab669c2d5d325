"""What was found in a source of pictures, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.escaping import visible
from cnnctl.inspection.grid import Grid, Heading
from cnnctl.proposals.document import counted
from cnnctl.proposals.picture_config import is_cut, is_skipped, what
from cnnctl.proposals.picture_facts import Copies, Likeness, PictureFacts
from cnnctl.proposals.settings import IMBALANCED

SHOWN = 5
"""Files that are named of each kind."""
MOST_ROWS = 30
"""Classes up to which each has a row."""
ORDER = ("train", "validation", "test", "all")


def render(facts: PictureFacts, about: Sequence[str] = ()) -> RenderableType:
    """The facts as lines and a table of the classes.

    about: lines on where the pictures are, and on what they show.
    """
    head = [*_lines(_head(facts)), *_lines(iter(about))]
    table: list[RenderableType] = (
        [Text(), _table(facts), Text()] if facts.training or facts.has_splits else []
    )
    return Group(*head, *table, *_lines(_balance(facts)), *_lines(_warnings(facts)))


def _lines(lines: Iterator[str]) -> Iterator[Text]:
    return (Text(visible(line)) for line in lines)


def _head(facts: PictureFacts) -> Iterator[str]:
    scan, total = facts.scan, len(facts.records)
    yield f"{facts.source}: {what(facts)}"
    if scan.read < total:
        yield f"read: an even sample of {scan.read:,}; sizes, modes and copies are from it"
    if scan.decoded + len(scan.broken) < scan.read:
        yield f"decoded: {scan.decoded:,}; for the others, only the headers were checked"
    yield f"sizes: {_sizes(scan.sizes)}"
    modes = (f"{count:,} {name}" for name, count in scan.modes.most_common())
    yield f"modes: {', '.join(modes)}"


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    if len(set(sizes)) == 1:
        height, width = sizes[0]
        return f"all {width}x{height}"
    heights, widths = zip(*sizes, strict=True)
    return f"width {_spread(widths)}, height {_spread(heights)} (min, median, max)"


def _spread(sides: Sequence[int]) -> str:
    return f"{min(sides)} {median(sides):g} {max(sides)}"


def _table(facts: PictureFacts) -> Grid:
    splits = [split for split in ORDER if split in facts.pictures]
    title = {"classification": "class", "multilabel": "label"}.get(facts.task, "")
    headings = [Heading(title, is_number=False), *map(Heading, splits)]
    by_size = [name for name, _ in facts.training.most_common()]
    kept = by_size if len(by_size) <= MOST_ROWS else [*by_size[: SHOWN * 2], *by_size[-SHOWN:]]
    rows = [_row(name, [facts.counts[split][name] for split in splits]) for name in kept]
    if len(kept) < len(by_size):
        rows.insert(SHOWN * 2, [f"… {len(by_size) - len(kept):,} more", *[""] * len(splits)])
    rows.append(_row("all", [facts.pictures[split] for split in splits]))
    return Grid(headings, rows)


def _row(name: str, counts: Sequence[int]) -> list[str]:
    return [name, *(f"{count:,}" for count in counts)]


def _balance(facts: PictureFacts) -> Iterator[str]:
    if facts.training:
        [(large, most), *_, (small, least)] = facts.training.most_common()
        kinds = "classes" if facts.task == "classification" else "labels"
        if most == least:
            yield f"balance: all {kinds} have the same number of pictures"
        elif most < 1.05 * least:
            yield f"balance: all {kinds} have {least:,} to {most:,} pictures"
        else:
            compared = f"{large} has {most / least:.1f} times as many pictures as {small}"
            weighted = "; the loss weights them" if facts.imbalance > IMBALANCED else ""
            yield f"balance: {compared}{weighted}"
    if "test" not in facts.pictures and facts.has_splits:
        yield "note: no test split; `cnnctl eval` will use the validation split"


def _warnings(facts: PictureFacts) -> Iterator[str]:
    yield from _unreadable(facts)
    yield from _identical(facts)
    yield from _nearly_identical(facts)
    if torn := [each for each in facts.scan.copies if len(each.labels) > 1]:
        yield f"warning: {counted(len(torn), 'picture')} with several classes"
        yield from _some([_equal(each.names) for each in torn])
    if facts.left_out:
        yield f"note: {counted(len(facts.left_out), 'file')} not used"
        yield from _some([f"{each.name}: {each.reason}" for each in facts.left_out])


def _unreadable(facts: PictureFacts) -> Iterator[str]:
    """Lines on pictures that are missing or cannot be decoded."""
    absent, is_skip = facts.absent, is_skipped(facts)
    missing = set(absent)
    broken = {name: why for name, why in facts.scan.broken.items() if name not in missing}
    if absent:
        done = "will be skipped" if is_skip else "will stop training; remove their rows"
        yield f"warning: {_are(len(absent))} missing and {done}"
        yield from _some(absent)
    if broken:
        done = "will be skipped" if is_skip else "will stop training; repair or delete them"
        yield f"warning: {counted(len(broken), 'picture')} cannot be decoded and {done}"
        yield from _some([f"{name}: {why}" for name, why in broken.items()])


def _identical(facts: PictureFacts) -> Iterator[str]:
    """Lines on files with equal content."""
    copies = facts.scan.copies
    if not copies:
        return
    extra = sum(len(each.names) - 1 for each in copies)
    yield f"note: {counted(extra, 'duplicate file')}"
    yield from _some([_equal(each.names) for each in copies])
    if torn := [each for each in copies if len(each.splits) > 1]:
        yield f"warning: identical pictures in several splits inflate the results: {_where(torn)}"
        yield from _some([_equal(each.names) for each in torn])
    if is_cut(facts):
        yield "note: group_copies keeps files with equal content in one split"


def _nearly_identical(facts: PictureFacts) -> Iterator[str]:
    """Lines on pictures that are like others without being copies."""
    similar = facts.scan.similar
    if not similar:
        return
    yield f"note: {counted(len(similar), 'picture')} nearly identical to another"
    yield from _some([f"{each.name} ~ {each.other}" for each in similar])
    if torn := [each for each in similar if len(each.splits) > 1]:
        where = _where(torn)
        yield f"warning: nearly identical pictures in several splits inflate the results: {where}"
        yield from _some([f"{each.name} ~ {each.other}" for each in torn])


def _are(count: int) -> str:
    return f"{counted(count, 'picture')} in the table {'is' if count == 1 else 'are'}"


def _where(torn: Sequence[Copies | Likeness]) -> str:
    """`3 in train and test, 1 in train and validation`."""
    pairs = Counter(" and ".join(s for s in ORDER if s in each.splits) for each in torn)
    return ", ".join(f"{count:,} in {pair}" for pair, count in pairs.items())


def _equal(names: Sequence[str]) -> str:
    return " = ".join(names[:SHOWN])


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"    {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"    … {len(lines) - SHOWN:,} more"
