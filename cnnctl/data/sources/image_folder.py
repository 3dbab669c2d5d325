"""Pictures in class folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
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
        names = [entry.name.split("/") for entry in pictures]
        depth = common_depth(names)
        parts = [name[depth:] for name in names]
        tops = {own[0] for own in parts if len(own) > 1}
        has_splits = any(SPLIT_WORDS.get(top.lower()) == "train" for top in tops)
        found = [
            self._record(entry, own, has_splits) for entry, own in zip(pictures, parts, strict=True)
        ]
        for entry, record in zip(pictures, found, strict=True):
            if record is None:
                tree.leave_out(entry.name, "is not in a class folder")
        return list(filter(None, found))

    def _record(self, entry: Entry, parts: Sequence[str], has_splits: bool) -> Record | None:
        """The record of a picture; None where it is in no class folder."""
        split = SPLIT_WORDS.get(parts[0].lower()) if has_splits else None
        if has_splits:
            parts = parts[1:] if split else ()
        return Record(entry, parts[0], split, self._group(parts)) if len(parts) > 1 else None

    def _group(self, parts: Sequence[str]) -> str:
        if self.group == "folder":
            return "/".join(parts[1:-1] or parts)
        return PurePosixPath(parts[-1]).stem.partition("_")[0] if self.group else ""


def common_depth(names: Sequence[Sequence[str]]) -> int:
    """How many folders all pictures are in that name neither a split nor a class.

    An archive often holds one folder with everything.
    """
    shallowest, depth = min(map(len, names)), 0
    while shallowest - depth >= 3:
        tops = {name[depth] for name in names}
        if len(tops) > 1 or next(iter(tops)).lower() in SPLIT_WORDS:
            break
        depth += 1
    return depth
