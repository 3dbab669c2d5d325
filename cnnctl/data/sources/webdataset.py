"""Pictures in shards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.class_pictures import ClassPictures
from cnnctl.data.file_tree import FileTree
from cnnctl.data.files import remembered
from cnnctl.data.records import SPLIT_WORDS, GivenSplit, Record, numbered
from cnnctl.data.sampling import ShardOrder
from cnnctl.data.shards.naming import shard_of
from cnnctl.data.shards.tree import Shards, open_shards
from cnnctl.errors import Fault, FaultError, config_fault, data_fault, data_faults

BUFFER = 10_000
"""Samples to shuffle within where not all shards are here at once."""


class WebDataset(ClassPictures, kind="webdataset"):
    """Pictures in shards: uncompressed .tar archives in the layout of WebDataset.

    Files that have all before the first dot in common are a sample: `000123.jpg` and `000123.cls`.
    Shards or folders whose names begin with train, val (valid, validation) and test hold the
    splits; without them, a test and a validation split are cut off.
    """

    one_class_hint: ClassVar[str] = "check what data.label names"
    label: Annotated[str, Field(pattern=r"^[a-z0-9_.]+$", max_length=64)] = "cls"
    """Suffix of the files with the class, a number or a name; of one that ends in `json`, it is
    the value of `label`, `cls` or `class`."""

    shuffle_buffer: PositiveInt | Literal["auto"] | None = "auto"
    """Shuffle the shards of an epoch, and move each sample by less than this many places; null
    shuffles all samples. `auto` is null, or 10,000 if shards from elsewhere take more than half of
    the disk."""

    @model_validator(mode="after")
    def _is_shuffled_in_one_way(self) -> Self:
        if self.sampler == "balanced" and self.shuffle_buffer not in ("auto", None):
            message = "sampler: balanced and shuffle_buffer cannot be combined"
            raise refusal(message, hint="use one of them")
        return self

    def order_of(self, records: Sequence[Record]) -> ShardOrder | None:
        if not isinstance(self.shuffle_buffer, int):
            return None
        shards = numbered([shard_of(record.entry.name) for record in records])
        return ShardOrder(torch.from_numpy(shards), self.shuffle_buffer)

    def open_pictures(self) -> Shards:
        skipped = set(self.skipped) if self.samples else set[str]()
        return remembered(
            f"{self.path}\0{self.label}\0{sorted(skipped)}",
            lambda: open_shards(self.path, label=self.label, skipped=skipped),
        )

    def listed(self, tree: FileTree) -> tuple[Self, list[Record]]:
        assert isinstance(tree, Shards)
        known = self._without_damaged(tree)
        if not tree.source.are_all_kept:
            known = known._read_in_turn()
        words = {shard: split_of(shard) for shard in tree.names}
        has_splits = "train" in words.values()
        found = []
        for sample in tree.samples:
            split = words[shard_of(sample.entry.name)] if has_splits else None
            if has_splits and split is None:
                tree.leave_out(sample.entry.name, "is in a shard that names no split")
            else:
                found.append(Record(sample.entry, self._named(sample.label, tree), split))
        return known, found

    def _read_in_turn(self) -> Self:
        """This dataset, if only some of its shards are here at any time.

        Raises:
            FaultError: it asks for all of them.
        """
        if self.rows not in ("auto", "stream"):
            message = f"rows: {self.rows} needs all shards, for which the disk is too small"
            raise config_fault(message, hint="use rows: stream", path=("rows",))
        buffer = BUFFER if self.shuffle_buffer == "auto" else self.shuffle_buffer
        return self.model_copy(update={"rows": "stream", "shuffle_buffer": buffer})

    def _without_damaged(self, tree: Shards) -> Self:
        """This dataset, with shards that cannot be used among what is skipped.

        Raises:
            FaultError: there are some, and they may not be skipped.
        """
        damaged = tree.damaged()
        if not damaged:
            return self
        most = int(self.max_skipped * len(tree.names)) if self.on_error == "skip" else 0
        if len(damaged) > most:
            raise self._fault_of_damaged(tree, most)
        for name, reason in damaged.items():
            tree.leave_out(name, reason)
        return self.model_copy(update={"skipped": [*self.skipped, *damaged]})

    def _fault_of_damaged(self, tree: Shards, most: int) -> FaultError:
        hint = "restore them, or set data.on_error=skip"
        if self.on_error == "skip":
            hint = f"at most {most:,} may be skipped; restore them, or raise max_skipped"
        faults = [
            Fault(message=reason, hint="restore it", place=tree.place(name))
            for name, reason in tree.damaged().items()
        ]
        message = f"{len(faults):,} of {len(tree.names):,} shards cannot be used"
        return data_faults(faults, last=Fault(message=message, hint=hint, place=self.path))

    def _named(self, label: str, tree: FileTree) -> str:
        """The class of a sample, by its name where it is given by its number."""
        if not self.classes or label in self.classes:
            return label
        if label.isdecimal() and int(label) < len(self.classes):
            return self.classes[int(label)]
        message = f"a sample is of class {show(label)}, which is not among data.classes"
        raise data_fault(message, hint="list all classes, or none", place=str(tree.root))


def split_of(shard: str) -> GivenSplit | None:
    """The split that the name of a shard begins with, or that of its folder."""
    words = (re.match(r"[A-Za-z]*", part) for part in shard.split("/"))
    found = (SPLIT_WORDS.get(word[0].lower()) for word in words if word)
    return next(filter(None, found), None)
