"""Gathers what there is in a folder or an archive of pictures in class folders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from cnnctl.config.wording import show
from cnnctl.console import advancing
from cnnctl.data.files import FileTree, LeftOut, open_tree
from cnnctl.data.pictures.decoding import (
    MAX_BYTES,
    BrokenPictureError,
    Mode,
    Pixels,
    decode,
    is_picture,
    size_and_mode,
)
from cnnctl.data.pictures.similarity import SIDE, Fingerprints, most_alike
from cnnctl.data.records import Record
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.errors import FaultError, data_fault, nearest

READ_FILES, READ_BYTES = 100_000, 2 * 10**9
"""Files to read whole, and their size in all; of more, an even sample is read."""
DECODED_PIXELS = 10**9
"""Pixels to decode; of more, the files of an even sample are decoded."""
TOGETHER = 2**22
"""Bytes of pictures of one size that are kept in memory at a time."""
MIXED = 31
"""Every so many-th record comes next when records are mixed."""
ALL = "all"
"""Where the data has no splits of its own."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Files that have the same content."""

    names: tuple[str, ...]
    splits: frozenset[str]
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two files that hold nearly identical pictures."""

    name: str
    other: str
    splits: frozenset[str]


@dataclass(slots=True)
class Scan:
    """What reading the files has shown."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Height and width of each picture."""
    modes: Counter[Mode] = field(default_factory=Counter)
    read: int = 0
    decoded: int = 0
    pixels: int = 0
    """Of all pictures, decoded or not."""
    broken: dict[str, str] = field(default_factory=dict)
    """Why a file cannot be decoded, by its name."""
    copies: list[Copies] = field(default_factory=list)
    similar: list[Likeness] = field(default_factory=list)
    """Pictures that are nearly identical to an earlier one."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Pictures in class folders."""

    source: Path
    records: Sequence[Record]
    counts: Mapping[str, Counter[str]]
    """Pictures of each class, by split; `all` where there are no splits."""
    scan: Scan
    left_out: Sequence[LeftOut]

    @property
    def classes(self) -> list[str]:
        """The classes of the training split, sorted."""
        return sorted(self.training)

    @property
    def training(self) -> Counter[str]:
        """Pictures of each class in the split to train on."""
        return self.counts.get("train") or self.counts[ALL]

    @property
    def imbalance(self) -> float:
        """How many times the smallest class the largest one is."""
        return max(self.training.values()) / min(self.training.values())

    def broken_share(self, *splits: str | None) -> float:
        """The share of pictures in these splits that are known to be broken."""
        names = [record.entry.name for record in self.records if record.split in splits]
        return sum(name in self.scan.broken for name in names) / max(1, len(names))


def gather(source: Path) -> PictureFacts:
    """Look at all pictures of a source.

    Raises:
        FaultError: it cannot be read, has fewer than two classes, or classes that are not in the
            training split.
    """
    tree = open_tree(source)
    records = ImageFolder(path=str(source)).records(tree)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        counts[record.split or ALL][record.label] += 1
    others = [
        LeftOut(entry.name, "is not a picture")
        for entry in tree.entries
        if not is_picture(entry.name)
    ]
    facts = PictureFacts(source, records, counts, Scan(), [*tree.left_out, *others])
    _check_classes(facts)
    _scan(tree, records, facts.scan)
    return facts


def _check_classes(facts: PictureFacts) -> None:
    place, known = str(facts.source), facts.classes
    if len(known) < 2:
        message = f"has pictures of only one class, {show(known[0])}" if known else "has no classes"
        raise data_fault(message, hint="put the pictures of each class in a folder", place=place)
    for split, counted in facts.counts.items():
        if strange := sorted(counted.keys() - set(known)):
            message = f"the {split} split has a class {show(strange[0])}, which train lacks"
            raise data_fault(message, hint=nearest(strange[0], known[:20]), place=place)
    rare, count = facts.training.most_common()[-1]
    if count < _fewest(facts):
        message = f"class {show(rare)} has {count} of the {_fewest(facts)} pictures that it needs"
        hint = "each split takes one of them; add pictures, or remove the class"
        raise data_fault(message, hint=hint, place=place)


def _fewest(facts: PictureFacts) -> int:
    """Pictures that a class needs, so that it is left in training when splits are cut off."""
    return 3 if ALL in facts.counts else 1 if "validation" in facts.counts else 2


def _scan(tree: FileTree, records: Sequence[Record], scan: Scan) -> None:
    seen: dict[bytes, list[Record]] = defaultdict(list)
    chosen, prints = _sample(tree, records), _Prints()
    with advancing(len(chosen), "reading") as advance:
        for record in chosen:
            advance(1)
            try:
                content = tree.read(record.entry, limit=MAX_BYTES)
                pixels = _look(content, scan)
            except (FaultError, BrokenPictureError) as error:
                scan.broken[record.entry.name] = _reason(error)
                continue
            alike = seen[sha256(content).digest()]
            alike.append(record)
            if pixels is not None and len(alike) == 1:
                prints.add(record, pixels)
    scan.read = len(chosen)
    scan.copies = [_copies(alike) for alike in seen.values() if len(alike) > 1]
    scan.similar = prints.similar()
    if not scan.sizes:
        message, hint = "none of the pictures can be decoded", "check what these files are"
        raise data_fault(message, hint=hint, place=str(tree.root))


def _look(content: bytes, scan: Scan) -> Pixels | None:
    """Note size and mode of a picture; its pixels, unless too many have been decoded.

    Raises:
        BrokenPictureError: it cannot be decoded.
    """
    height, width, mode = size_and_mode(content)
    scan.pixels += height * width
    pixels = None
    if scan.pixels <= DECODED_PIXELS:
        pixels = decode(content, mode=mode, size=(height, width), resize="squash")
        scan.decoded += 1
    scan.sizes.append((height, width))
    scan.modes[mode] += 1
    return pixels


def _reason(error: FaultError | BrokenPictureError) -> str:
    return error.faults[0].message if isinstance(error, FaultError) else str(error)


class _Prints:
    """Fingerprints of pictures that are not copies of others, and their records."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._prints: list[Fingerprints] = []
        self._waiting: list[Pixels] = []

    def add(self, record: Record, pixels: Pixels) -> None:
        """Take a decoded picture, (C, H, W), if it is large enough to be recognised."""
        if min(pixels.shape[1:]) < SIDE:
            return
        waiting = self._waiting
        is_full = (len(waiting) + 1) * pixels.size > TOGETHER
        if waiting and (is_full or waiting[0].shape != pixels.shape):
            self._flush()
        self._records.append(record)
        self._waiting.append(pixels)

    def similar(self) -> list[Likeness]:
        """Pictures that are nearly identical to an earlier one, with the most similar."""
        if not self._records:
            return []
        self._flush()
        pairs = most_alike(Fingerprints.joined(self._prints))
        return [_likeness(self._records[pair.at], self._records[pair.like]) for pair in pairs]

    def _flush(self) -> None:
        """Take the fingerprints of pictures of one size together, which is faster."""
        self._prints.append(Fingerprints.of([torch.from_numpy(np.stack(self._waiting))]))
        self._waiting.clear()


def _likeness(record: Record, other: Record) -> Likeness:
    splits = frozenset(each.split or ALL for each in (record, other))
    return Likeness(record.entry.name, other.entry.name, splits)


def _sample(tree: FileTree, records: Sequence[Record]) -> list[Record]:
    """The records to read, an even sample if there are too many, in the quickest order."""
    size = sum(record.entry.size for record in records)
    step = max(-(-len(records) // READ_FILES), -(-size // READ_BYTES), 1)

    # mixed, so that a bound on decoding does not leave out whole classes
    mixed = [record for start in range(MIXED) for record in records[start::MIXED]]
    return sorted(mixed[::step], key=lambda record: tree.offset(record.entry))


def _copies(records: Sequence[Record]) -> Copies:
    return Copies(
        tuple(sorted(record.entry.name for record in records)),
        frozenset(record.split or ALL for record in records),
        frozenset(record.label for record in records),
    )
