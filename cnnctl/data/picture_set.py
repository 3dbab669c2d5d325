"""The base of data sets of pictures in files that users bring along."""

from __future__ import annotations

import sys
import zlib
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Annotated, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.copies import copies_among, kept_together
from cnnctl.data.dataset import Size, StoredSplit
from cnnctl.data.file_set import FileSet, SampleCounts, not_surveyed
from cnnctl.data.files import FileTree, open_tree
from cnnctl.data.paths import DataPath
from cnnctl.data.pictures.cache import DecodedPictures, cache_folder, decoded_pictures
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, Mode, Resize, size_and_mode
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.data.records import Record, divided, groups_of
from cnnctl.data.residence import Residence, residence_of
from cnnctl.data.rows import MappedRows, Rows, TensorRows
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.split_lists import SplitLists
from cnnctl.errors import Fault, FaultError, data_fault, data_faults, nearest

SAMPLED = 1000
"""Pictures whose headers decide the size and the mode, evenly spread."""
SIDES = (32, 48, 64, 96, 128, 160, 192, 224)
"""Sides that pictures of different sizes are brought to."""
EXACT_SIDE = 256
"""Up to which pictures of one size keep it."""
MAX_SKIPPED = 1000
"""Files that can be listed in an experiment."""


class PictureSet(FileSet):
    """A data set of pictures in files, each with a class."""

    path: DataPath
    """Folder or archive (.zip, .tar) with the pictures, relative to this file."""
    mode: Literal["auto"] | Mode = "auto"
    """Mode to convert pictures to: L (grey) or RGB; `auto` is L if all are grey."""
    size: Literal["auto"] | Size = "auto"
    """Side of the pictures in pixels, or [height, width]; `auto` follows from their sizes."""
    resize: Resize = "pad"
    """How to fit other sizes: `pad` (keep all, add black), `squash` (keep all, distort) or `crop`
    (cut off what is too long)."""
    on_error: Literal["stop", "skip"] = "stop"
    """Stop at pictures that cannot be decoded, or skip them."""
    max_skipped: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Largest fraction of pictures that may be skipped."""
    rows: Literal["auto"] | Residence = "auto"
    """Keep decoded pictures in memory, or map them from the cache; `auto` keeps them in memory if
    they take at most a fourth of it."""
    splits: SplitLists | None = None
    """Files that list the pictures of each split."""
    skipped: Annotated[list[str], Field(max_length=MAX_SKIPPED)] = Field(default=[])
    """Pictures that were skipped; filled in where on_error is skip."""
    group_copies: bool = False
    """Keep files with the same content in one split, as well as groups, where splits are cut off
    here."""
    _copies: dict[str, str] | None = PrivateAttr(default=None)
    """Files that have copies; see `copies_among`. None before the files have been looked at."""

    @model_validator(mode="after")
    def _has_one_test_split(self) -> Self:
        if self.splits and self.test != "auto":
            raise refusal("splits and test cannot be combined", hint="use one of them")
        return self

    @abstractmethod
    def records(self, tree: FileTree) -> list[Record]:
        """The records of a source.

        Raises:
            FaultError: it is not laid out as it should be.
        """

    def whole(self) -> DatasetInfo:
        counts, form = self.known_samples, self._form()
        names, count = tuple(self.classes), counts.train + counts.validation
        return DatasetInfo(form.shape, names, len(names), count, has_test=counts.test > 0)

    def picture_form(self) -> PictureForm:
        return self._form()

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        tree = open_tree(Path(self.path))
        parts = self._parts(self._grouped(tree))
        tree.note_left_out()
        classes = self.classes or _class_names(parts["train"], self.path)
        known = self.model_copy(update={"classes": classes, **self._found_form(tree, parts)})
        if known.on_error == "skip":
            found = {name: known._decoded(tree, part) for name, part in parts.items() if part}
            broken = {name: set(each.broken) for name, each in found.items()}
            skipped = [parts[name][at].entry.name for name in broken for at in sorted(broken[name])]
            parts = {
                name: [record for at, record in enumerate(part) if at not in broken[name]]
                for name, part in parts.items()
                if part
            }
            known = known.model_copy(update={"skipped": skipped})
            if skipped:
                count = "1 picture" if len(skipped) == 1 else f"{len(skipped):,} pictures"
                print(f"note: skipped {count}; data.skipped lists them", file=sys.stderr)
        return known.model_copy(update={"samples": known._counts(parts, seed)})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        tree = open_tree(Path(self.path))
        records = self._parts(self._grouped(tree))[split]
        decoded = self._decoded(tree, records)
        kept = np.array([at for at in range(len(records)) if at not in decoded.broken], np.int64)
        records = [records[at] for at in kept]
        given = [at for at, record in enumerate(records) if record.split == "validation"]
        names, root = [record.entry.name for record in records], tree.root
        return Samples(
            self._rows(decoded, kept),
            torch.from_numpy(self._labels(records)),
            validation=torch.tensor(given) if given else None,
            groups=groups_of(records),
            identity=_identity(records, decoded.digests[kept]),
            called=lambda position: str(root / names[position]),
        )

    def _grouped(self, tree: FileTree) -> list[Record]:
        """The records, in the listed splits, and in groups that keep copies together if asked."""
        records = self.records(tree)
        if self.splits:
            records = self.splits.divide(tree, records)
        if not self.group_copies:
            return records
        if self._copies is None:
            entries = [record.entry for record in records]
            self._copies = copies_among(tree, entries, limit=MAX_BYTES)
        return kept_together(records, self._copies)

    def _parts(self, records: Sequence[Record]) -> dict[StoredSplit, list[Record]]:
        """The records of each stored split; validation is a part of train."""
        train, test = divided(records, test=self.test_share)
        return {"train": train, "test": test}

    def _form(self) -> PictureForm:
        if self.mode == "auto" or self.size == "auto":
            raise not_surveyed()
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return PictureForm(self.mode, size, self.resize)

    def _found_form(
        self, tree: FileTree, parts: dict[StoredSplit, list[Record]]
    ) -> dict[str, object]:
        """Mode and size as they are asked for, or as the headers of some pictures suggest."""
        if self.mode != "auto" and self.size != "auto":
            return {}
        sizes, modes = [], set[Mode]()
        train = parts["train"]
        for record in train[:: max(1, len(train) // SAMPLED)]:
            with suppress(BrokenPictureError, FaultError):  # which decoding tells of
                height, width, mode = size_and_mode(tree.read(record.entry, limit=MAX_BYTES))
                sizes.append((height, width))
                modes.add(mode)
        if not sizes:
            message = "none of the pictures can be decoded"
            raise data_fault(message, hint="check what these files are", place=self.path)
        mode = "L" if modes == {"L"} else "RGB"
        return {
            "mode": mode if self.mode == "auto" else self.mode,
            "size": common_size(sizes) if self.size == "auto" else self.size,
        }

    def _counts(self, parts: dict[StoredSplit, list[Record]], seed: int) -> SampleCounts:
        train = parts["train"]
        given = [record.split for record in train]
        labels, groups = self._labels(train), groups_of(train)
        held = len(self.validation_part(given, seed=seed, classes=labels, groups=groups))
        return SampleCounts(
            train=len(train) - held, validation=held, test=len(parts.get("test", []))
        )

    def _labels(self, records: Sequence[Record]) -> NDArray[np.int64]:
        """The classes of records as numbers.

        Raises:
            FaultError: one is not among the classes of the training split.
        """
        numbers = {name: number for number, name in enumerate(self.classes)}
        unknown = sorted({record.label for record in records} - numbers.keys())
        if unknown:
            first = next(record.entry.name for record in records if record.label == unknown[0])
            message = f"{first} is of class {show(unknown[0])}, which the training split lacks"
            hint = nearest(unknown[0], self.classes)
            raise data_fault(message, hint=hint, place=self.path)
        return np.array([numbers[record.label] for record in records], dtype=np.int64)

    def _decoded(self, tree: FileTree, records: Sequence[Record]) -> DecodedPictures:
        """Pictures in the form of this data set, those that are broken marked.

        Raises:
            FaultError: some are broken, and may not be skipped.
        """
        entries = [record.entry for record in records]
        is_read = self._residence(len(records)) == "memory"
        decoded = decoded_pictures(tree, entries, self._form(), verify=is_read)
        broken, most = len(decoded.broken), int(self.max_skipped * len(records))
        if not broken or (self.on_error == "skip" and broken <= most):
            return decoded
        hint = "repair or delete them, or set data.on_error=skip"
        if self.on_error == "skip":
            hint = f"at most {most:,} may be skipped; repair or delete them, or raise max_skipped"
        faults = [
            Fault(
                message=reason, hint="repair or delete it", place=tree.place(records[at].entry.name)
            )
            for at, reason in sorted(decoded.broken.items())
        ]
        message = f"{broken:,} of {len(records):,} pictures cannot be decoded"
        raise data_faults(faults, last=Fault(message=message, hint=hint, place=self.path))

    def _rows(self, decoded: DecodedPictures, kept: NDArray[np.int64]) -> Rows:
        if self._residence(len(decoded.checks)) == "mapped":
            return PictureRows(decoded, kept)
        return TensorRows(torch.from_numpy(decoded.pixels.take(kept, axis=0)))

    def _residence(self, pictures: int) -> Residence:
        return residence_of(pictures * self._form().row_bytes) if self.rows == "auto" else self.rows


class PictureRows(MappedRows):
    """Decoded pictures in the cache; each is compared with its checksum when it is taken."""

    def __init__(self, decoded: DecodedPictures, kept: NDArray[np.int64]) -> None:
        super().__init__(decoded.pixels)
        self.shape = (len(kept), *decoded.pixels.shape[1:])
        self._kept, self._checks = kept, decoded.checks

    def take(self, positions: Tensor) -> Tensor:
        own = torch.from_numpy(self._kept[positions.cpu().numpy()])
        taken = super().take(own)
        for row, pixels in zip(own.tolist(), taken.numpy(), strict=True):
            if zlib.crc32(pixels) != self._checks[row]:
                message = "the cache of decoded pictures is damaged"
                place = str(cache_folder())
                raise data_fault(message, hint="delete it; it is made again", place=place)
        return taken


def common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The height and width for pictures of these: their own, or a square of a usual side.

    The side is the largest of 32, 48, …, 224 that the longer side of half of them has.
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= EXACT_SIDE:
        return sizes[0]
    longer = median(max(size) for size in sizes)
    side = max((side for side in SIDES if side <= longer), default=SIDES[0])
    return side, side


def _class_names(records: Sequence[Record], path: str) -> list[str]:
    names = sorted({record.label for record in records})
    if len(names) < 2:
        message = f"has pictures of only one class, {names[0]}" if names else "has no pictures"
        raise data_fault(message, hint="put the pictures of each class in a folder", place=path)
    return names


def _identity(records: Sequence[Record], digests: NDArray[np.uint8]) -> str:
    """A hash of these files: their names, the splits they are put in, contents and order."""
    found = sha256()
    for record, digest in zip(records, digests, strict=True):
        name = f"{record.entry.name}\0{record.split or ''}"
        found.update(name.encode(errors="surrogateescape") + digest.tobytes())
    return found.hexdigest()
