"""Gathers facts about a source of pictures: their targets, and how they are stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnnctl.config.wording import show
from cnnctl.data.file_tree import ABSENT, FileTree, LeftOut
from cnnctl.data.files import forget_tree
from cnnctl.data.picture_set import PictureSet
from cnnctl.data.pictures.decoding import Mode, is_picture
from cnnctl.data.pictures.progress import followed
from cnnctl.data.pictures.similarity import Fingerprints, most_alike
from cnnctl.data.pictures.trial import Tried, try_all
from cnnctl.data.records import Record
from cnnctl.data.sample_targets import Task
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.errors import data_fault, nearest
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import imbalance_of

READ_FILES, READ_BYTES = 100_000, 2 * 10**9
"""Files to read whole, and their size in all; of more, an even sample is read."""
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
    broken: dict[str, str] = field(default_factory=dict)
    """Why a file cannot be decoded, by its name; it may not be there."""
    copies: list[Copies] = field(default_factory=list)
    similar: list[Likeness] = field(default_factory=list)
    """Pictures that are nearly identical to an earlier one."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """Pictures, and what is to be learned from them."""

    source: Path
    data: PictureSet
    """The experiment's data section, without the options that follow from these facts."""
    records: Sequence[Record]
    pictures: Counter[str]
    """Pictures by split; `all` where there are no splits."""
    counts: Mapping[str, Counter[str]]
    """Pictures of each class or label, by split; of none, where values are to be predicted."""
    task: Task
    scan: Scan
    left_out: Sequence[LeftOut]
    heads: Mapping[str, Lesson] = field(default_factory=dict)
    """What the head of each of several targets learns, if all pictures are for training; task and
    counts are then those of the first."""

    @property
    def has_splits(self) -> bool:
        """Whether the source has splits of its own."""
        return ALL not in self.pictures

    @property
    def classes(self) -> list[str]:
        """The classes or labels of the training split, sorted."""
        return sorted(self.training)

    @property
    def training(self) -> Counter[str]:
        """Pictures of each class or label in the split to train on."""
        return self.counts["train" if self.has_splits else ALL]

    @property
    def imbalance(self) -> float:
        """Ratio of the largest class to the smallest; 1 for heads, each of which has its own."""
        is_class = self.task == "classification" and not self.heads
        return imbalance_of(self.training) if is_class else 1.0

    @property
    def absent(self) -> list[str]:
        """Files that a table names, but that are not there."""
        return [record.entry.name for record in self.records if record.entry.size == ABSENT]

    def broken_share(self, *splits: str | None) -> float:
        """The share of pictures in these splits that are known to be broken."""
        names = [record.entry.name for record in self.records if record.split in splits]
        return sum(name in self.scan.broken for name in names) / max(1, len(names))


def gather(source: Path) -> PictureFacts:
    """Look at all pictures of a source that has them in class folders.

    Raises:
        FaultError: it cannot be read, has fewer than two classes, or classes that are not in the
            training split.
    """
    forget_tree()
    data = ImageFolder(path=str(source))
    tree = data.open_pictures()
    records = data.records(tree)
    counts = counted_names(records, [[record.label] for record in records])
    check_classes(counts, place=source, cure="put the pictures of each class in a folder")
    others = [
        LeftOut(entry.name, "is not a picture")
        for entry in tree.entries
        if not is_picture(entry.name)
    ]
    left_out = [*tree.left_out, *others]
    return looked_at(source, data, tree, records, counts, "classification", left_out)


def looked_at(
    source: Path,
    data: PictureSet,
    tree: FileTree,
    records: Sequence[Record],
    counts: Mapping[str, Counter[str]],
    task: Task,
    left_out: Sequence[LeftOut],
) -> PictureFacts:
    """The facts of these records, whose pictures are read.

    Raises:
        FaultError: none can be decoded.
    """
    pictures = Counter(record.split or ALL for record in records)
    return PictureFacts(
        source, data, records, pictures, counts, task, _scanned(tree, records), left_out
    )


def counted_names(
    records: Sequence[Record], names: Sequence[Sequence[str]]
) -> Mapping[str, Counter[str]]:
    """How many records have each of these names, by split."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record, own in zip(records, names, strict=True):
        counts[record.split or ALL].update(own)
    return counts


def check_classes(counts: Mapping[str, Counter[str]], *, place: Path, cure: str) -> None:
    """Raise a FaultError unless each class has pictures for all splits.

    cure: what helps where there is only one class.
    """
    training = counts.get("train") or counts.get(ALL) or Counter()
    known = sorted(training)
    if len(known) < 2:
        message = f"has pictures of only one class, {show(known[0])}" if known else "has no classes"
        raise data_fault(message, hint=cure, place=str(place))
    for split, counted in counts.items():
        if strange := sorted(counted.keys() - set(known)):
            message = f"the {split} split has a class {show(strange[0])}, which train lacks"
            raise data_fault(message, hint=nearest(strange[0], known[:20]), place=str(place))
    fewest = 3 if ALL in counts else 1 if "validation" in counts else 2
    rare, count = training.most_common()[-1]
    if count < fewest:
        message = f"class {show(rare)} has {count} of the {fewest} pictures that it needs"
        hint = "each split takes one of them; add pictures, or remove the class"
        raise data_fault(message, hint=hint, place=str(place))


def _scanned(tree: FileTree, records: Sequence[Record]) -> Scan:
    scan = Scan()
    seen: dict[str, list[Record]] = defaultdict(list)
    first, prints = list[Record](), list[Tried]()
    chosen = _sample(records)
    with followed("reading", len(chosen)) as advance:
        found = try_all(tree, [record.entry for record in chosen], advance=advance)
    for record, tried in zip(chosen, found, strict=True):
        if tried.broken:
            scan.broken[record.entry.name] = tried.broken
            continue
        scan.sizes.append((tried.height, tried.width))
        scan.modes[tried.mode] += 1
        scan.decoded += tried.is_decoded
        seen[tried.digest].append(record)
        if tried.colour and len(seen[tried.digest]) == 1:
            first.append(record)
            prints.append(tried)
    scan.read = len(chosen)
    scan.copies = [_copies(alike) for alike in seen.values() if len(alike) > 1]
    scan.similar = _similar(first, prints)
    if not scan.sizes:
        message, hint = "none of the pictures can be decoded", "check what these files are"
        raise data_fault(message, hint=hint, place=str(tree.root))
    return scan


def _similar(records: Sequence[Record], tried: Sequence[Tried]) -> list[Likeness]:
    """Pictures that are nearly identical to an earlier one, with the most similar."""
    if not records:
        return []
    grey = np.stack([each.grey_pixels for each in tried])
    colour = np.stack([each.colour_pixels for each in tried])
    pairs = most_alike(Fingerprints.of_thumbnails(grey, colour))
    return [_likeness(records[pair.at], records[pair.like]) for pair in pairs]


def _likeness(record: Record, other: Record) -> Likeness:
    splits = frozenset(each.split or ALL for each in (record, other))
    return Likeness(record.entry.name, other.entry.name, splits)


def _sample(records: Sequence[Record]) -> Sequence[Record]:
    """The records to read: an even sample if there are too many."""
    size = sum(record.entry.size for record in records)
    step = max(-(-len(records) // READ_FILES), -(-size // READ_BYTES), 1)
    return records[::step]


def _copies(records: Sequence[Record]) -> Copies:
    return Copies(
        tuple(sorted(record.entry.name for record in records)),
        frozenset(record.split or ALL for record in records),
        frozenset(record.label for record in records),
    )
