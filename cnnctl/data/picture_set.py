"""The base of datasets of pictures in files that users bring along."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self
from weakref import WeakKeyDictionary

import numpy as np
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.data.broken_pictures import faults_of_broken, note_skipped
from cnnctl.data.copies import copies_among, kept_together
from cnnctl.data.dataset import StoredSplit
from cnnctl.data.file_set import FileSet, SampleCounts, not_surveyed
from cnnctl.data.file_tree import FileTree
from cnnctl.data.files import forget_tree, remembered_tree
from cnnctl.data.image_set import Size
from cnnctl.data.parts import Known, parts_of
from cnnctl.data.paths import DataPath
from cnnctl.data.pictures.cache import cache_disk
from cnnctl.data.pictures.decoding import MAX_BYTES, Mode, Resize
from cnnctl.data.pictures.kept import KeptPictures, kept_pictures
from cnnctl.data.pictures.sizes import found_form
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.data.records import Record, content_identity, groups_of, times_of
from cnnctl.data.residence import PictureResidence, picture_residence, residence_of
from cnnctl.data.samples import Samples, Split
from cnnctl.data.sampling import ShardOrder
from cnnctl.data.split_lists import SplitLists
from cnnctl.data.tables.targets import Strata
from cnnctl.errors import data_fault
from cnnctl.target import Target

Parts = dict[StoredSplit, list[Record]]
MAX_SKIPPED = 1000
"""Files that can be listed in an experiment."""
MEASURED = 5_000
"""Pictures, at least, that a streamed training split is normalised by."""


@dataclass(frozen=True, slots=True)
class Division:
    """The records of a source, and those of each split."""

    by: str
    """The configuration of the dataset that divided them."""
    records: list[Record]
    parts: Parts


_last: WeakKeyDictionary[FileTree, Division] = WeakKeyDictionary()
"""How the files of a tree were divided last: each split is read by itself, and dividing many takes
seconds."""


class PictureSet(FileSet):
    """A dataset of pictures in files, with targets that are known before they are read."""

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
    rows: Literal["auto"] | PictureResidence = "auto"
    """Keep decoded pictures in `memory`, map them from the cache (`mapped`), or decode them in
    every epoch (`stream`); `auto` is memory if they take at most a fourth of it, else mapped if
    they take at most half of the disk, else stream."""
    workers: Literal["auto"] | Annotated[int, Field(gt=0, le=1024)] = "auto"
    """Processes that decode pictures; `auto` is one for each core."""
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
    def listed(self, tree: FileTree) -> tuple[Self, list[Record]]:
        """The records of a source, and this dataset with what cutting them needs filled in.

        Raises:
            FaultError: it is not laid out as it should be.
        """

    @abstractmethod
    def strata_of(self, records: Sequence[Record]) -> Strata:
        """What a cut of these records is stratified by."""

    @abstractmethod
    def learned_from(self, train: Sequence[Record]) -> Self:
        """This dataset with the names of classes and labels, from the training split.

        Raises:
            FaultError: they leave nothing to learn.
        """

    @property
    @abstractmethod
    def main_target(self) -> Target:
        """The first target, once its names are known."""

    @abstractmethod
    def targets_of(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """The targets of these records, at least one, by name, the main one first.

        Raises:
            FaultError: one has a class or label that the training split lacks.
        """

    def open_pictures(self) -> FileTree:
        """The files that the pictures are among, listed once for all splits."""
        return remembered_tree(Path(self.path))

    def is_another(self, records: Sequence[Record]) -> bool:
        """Whether these are not those of the run, so that all of them are tested."""
        return False

    def order_of(self, records: Sequence[Record]) -> ShardOrder | None:
        """How these records are shuffled, where not all are within reach at once."""
        return None

    def identity_of(self, records: Sequence[Record], pictures: str) -> str:
        """A hash of these records, given that of their pictures."""
        return pictures

    def picture_form(self) -> PictureForm:
        if self.mode == "auto" or self.size == "auto":
            raise not_surveyed()
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return PictureForm(self.mode, size, self.resize)

    def surveyed(self, root: Path, *, seed: int) -> Self:
        forget_tree()
        if self.samples is not None:
            return self
        tree = self.open_pictures()
        known, records = self.model_copy(update={"skipped": []})._grouped(tree)
        parts = known._parts(records)
        tree.note_left_out()
        known = known.learned_from(parts["train"])
        missing = [name for name in ("mode", "size") if getattr(known, name) == "auto"]
        known = known.model_copy(update=found_form(tree, parts["train"], missing))
        known = known._streamed_if_large(len(records))
        kept = parts
        if known.on_error == "skip":
            known, kept = known._without_broken(tree, parts)
        known = known.model_copy(update={"samples": known._counts(kept, seed)})
        _last[tree] = Division(known.model_dump_json(), records, parts)
        return known

    def divided(self, *, seed: int) -> tuple[Self, SampleCounts]:
        """With the names of its classes, and how many pictures each split has if none is broken."""
        known, records = self._grouped(self.open_pictures())
        parts = known._parts(records)
        known = known.learned_from(parts["train"])
        return known, known._counts(parts, seed)

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        tree = self.open_pictures()
        division = self._division(tree)
        is_divided = split == "train" or not self.is_another(division.records)
        records = division.parts[split] if is_divided else division.records
        if not records:
            message, hint = f"has no pictures in its {split} split", "check the data"
            raise data_fault(message, hint=hint, place=self.path)
        pictures = self._kept(tree, records)
        kept = np.array([at for at in range(len(records)) if at not in pictures.broken], np.int64)
        records = [records[at] for at in kept]
        given = [at for at, record in enumerate(records) if record.split == "validation"]
        names, root = [record.entry.name for record in records], tree.root
        targets = self.targets_of(records)
        return Samples(
            pictures.rows(kept),
            targets.pop(next(iter(targets))),
            targets,
            validation=torch.tensor(given) if given else None,
            groups=groups_of(records),
            identity=self.identity_of(records, content_identity(records, pictures.digests[kept])),
            called=lambda position: str(root / names[position]),
            order=self.order_of(records),
        )

    def _division(self, tree: FileTree) -> Division:
        """The records and their splits, as they were divided last if nothing has changed since."""
        own, last = self.model_dump_json(), _last.get(tree)
        if last is None or last.by != own:
            known, records = self._grouped(tree)
            last = _last[tree] = Division(own, records, known._parts(records))
        return last

    def _grouped(self, tree: FileTree) -> tuple[Self, list[Record]]:
        """The records, in the listed splits, and in groups that keep copies together if asked."""
        known, records = self.listed(tree)
        if self.splits:
            records = self.splits.divide(tree, records)
        if self.group_copies:
            if known._copies is None:
                entries = [record.entry for record in records]
                known._copies = copies_among(tree, entries, limit=MAX_BYTES)
            records = kept_together(records, known._copies)
        return known, records

    def _parts(self, records: Sequence[Record]) -> Parts:
        """The records of each stored split; validation is a part of train."""
        strata = self.strata_of(records)
        known = Known(
            [record.split for record in records],
            classes=strata.classes,
            labels=strata.labels,
            groups=groups_of(records),
            times=times_of(records),
        )
        share = self.share_of  # of all pictures, broken ones among them
        return {
            name: [
                records[at].put_in(split)
                for at, split in zip(part.rows, part.known.given, strict=True)
            ]
            for name, part in parts_of(known, test=self.test_share, held_out=share).items()
        }

    def _without_broken(self, tree: FileTree, parts: Parts) -> tuple[Self, Parts]:
        """The parts without the pictures that are skipped, which are filled in."""
        skipped, kept = [*self.skipped], Parts()
        for name, part in parts.items():
            broken = self._kept(tree, part).broken if part else {}
            skipped += [part[at].entry.name for at in sorted(broken)]
            kept[name] = [record for at, record in enumerate(part) if at not in broken]
        note_skipped(skipped[len(self.skipped) :], most=MAX_SKIPPED, place=self.path)
        return self.model_copy(update={"skipped": skipped}), kept

    def _counts(self, parts: Parts, seed: int) -> SampleCounts:
        train, test = parts["train"], parts["test"]
        targets = next(iter(self.targets_of(train).values())).numpy()
        held = self.validation_part(
            [record.split for record in train],
            seed=seed,
            classes=targets if self.main_target.kind == "class" else None,
            labels=targets > 0 if self.main_target.kind == "labels" else None,
            groups=groups_of(train),
        )
        return SampleCounts(train=len(train) - len(held), validation=len(held), test=len(test))

    def _kept(self, tree: FileTree, records: Sequence[Record]) -> KeptPictures:
        """Pictures in the form of this dataset, those that are broken marked.

        Raises:
            FaultError: some are broken, and may not be skipped.
        """
        form, workers = self.picture_form(), None if self.workers == "auto" else self.workers
        residence = self._residence(len(records))
        is_known = self.on_error == "stop" or (self.samples and not self._is_located)
        skipped = set(self.skipped) if is_known else None
        kept = kept_pictures(tree, records, form, residence, workers=workers, skipped=skipped)
        most = int(self.max_skipped * len(records)) if self.on_error == "skip" else None
        if len(kept.broken) > (most or 0):
            raise faults_of_broken(tree, records, kept.broken, most=most, place=self.path)
        return kept

    def _residence(self, pictures: int) -> PictureResidence:
        size = pictures * self.picture_form().row_bytes
        return residence_of(size) if self.rows == "auto" else self.rows

    def _streamed_if_large(self, pictures: int) -> Self:
        """Streamed, where `auto` asks for that: all splits, since they share the disk."""
        size = pictures * self.picture_form().row_bytes
        if self.rows == "auto" and picture_residence(size, disk=cache_disk()) == "stream":
            return self.model_copy(update={"rows": "stream"})
        return self

    def fitted(self, train: Split) -> Self:
        """With statistics of the training split; of a part of it, where it is streamed."""
        if self.rows == "stream":
            step = max(1, len(train) // MEASURED)
            train = replace(train, positions=train.positions[::step])
        return super().fitted(train)
