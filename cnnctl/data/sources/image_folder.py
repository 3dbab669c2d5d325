"""Pictures in class folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from sys import intern
from typing import ClassVar, Literal, Self

from cnnctl.data.class_pictures import ClassPictures
from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoding import SUFFIXES, is_picture
from cnnctl.data.records import SPLIT_WORDS, Record
from cnnctl.errors import data_fault


class ImageFolder(ClassPictures, kind="image_folder"):
    """Pictures in folders named after their classes: JPEG, PNG, BMP, GIF, TIFF and WebP.

    Folders named train, val (valid, validation) and test hold the splits, each with class folders;
    without them, a test and a validation split are cut off. Pictures are decoded once, turned
    upright by their EXIF data, and kept in a cache ($CNNCTL_CACHE, or ~/.cache/cnnctl).
    """

    one_class_hint: ClassVar[str] = "put the pictures of each class in a folder"
    group: Literal["folder", "prefix"] | None = None
    """Pictures that belong together and stay in one split: those of a folder within the class, or
    those whose names begin alike, up to the first `_`."""

    def listed(self, tree: FileTree) -> tuple[Self, list[Record]]:
        return self, self.records(tree)

    def records(self, tree: FileTree) -> list[Record]:
        """The pictures that are in a class folder.

        Raises:
            FaultError: there are no pictures.
        """
        pictures = [entry for entry in tree.entries if is_picture(entry.name)]
        if not pictures:
            message = f"has no pictures among {len(tree.entries):,} files"
            suffixes = ", ".join(sorted(SUFFIXES))
            hint = f"give a folder with class folders; names of pictures end in {suffixes}"
            raise data_fault(message, hint=hint, place=self.path)
        depth = common_depth([entry.name for entry in pictures])
        tops = {own[0] for entry in pictures if len(own := entry.name.split("/")[depth:]) > 1}
        has_splits = any(SPLIT_WORDS.get(top.lower()) == "train" for top in tops)
        found: list[Record] = []
        for entry in pictures:  # one by one: the parts of millions of names would take gigabytes
            record = self._record(entry, entry.name.split("/")[depth:], has_splits)
            if record is None:
                tree.leave_out(entry.name, "is not in a class folder")
            else:
                found.append(record)
        return found

    def _record(self, entry: Entry, parts: Sequence[str], has_splits: bool) -> Record | None:
        """The record of a picture; None where it is in no class folder."""
        split = SPLIT_WORDS.get(parts[0].lower()) if has_splits else None
        if has_splits:
            parts = parts[1:] if split else ()
        if len(parts) < 2:
            return None
        return Record(entry, intern(parts[0]), split, self._group(parts))

    def _group(self, parts: Sequence[str]) -> str:
        if self.group == "folder":
            return "/".join(parts[1:-1] or parts)
        return PurePosixPath(parts[-1]).stem.partition("_")[0] if self.group else ""


def common_depth(names: Sequence[str]) -> int:
    """How many folders all pictures are in that name neither a split nor a class.

    An archive often holds one folder with everything.
    """
    shallowest, depth = 1 + min(name.count("/") for name in names), 0
    while shallowest - depth >= 3:
        tops = {name.split("/", depth + 1)[depth] for name in names}
        if len(tops) > 1 or next(iter(tops)).lower() in SPLIT_WORDS:
            break
        depth += 1
    return depth
