"""Proposes experiments for NumPy's arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnctl.config.wording import times
from cnnctl.data.arrays.reading import ARRAY_SUFFIXES, has_arrays, open_arrays
from cnnctl.data.files import TAR_SUFFIXES
from cnnctl.data.sources.arrays import ArraySet
from cnnctl.errors import data_fault
from cnnctl.proposals.document import Setting
from cnnctl.proposals.proposer import (
    Proposal,
    Proposer,
    Wishes,
    refuse_pretrained,
    targets_named_by_option,
)
from cnnctl.proposals.sample_config import propose
from cnnctl.proposals.sample_facts import gather
from cnnctl.proposals.sample_report import SHOWN, render
from cnnctl.proposals.settings import path_setting


class Arrays(Proposer):
    """An .npz file, or a folder or a .zip archive of .npy files."""

    takes = "an .npz file, or a folder or a .zip archive of .npy files"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        return source.name.lower().endswith(ARRAY_SUFFIXES) or has_arrays(source)

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
        if source.name.lower().endswith(TAR_SUFFIXES):
            message = "arrays are not read from .tar archives"
            raise data_fault(message, hint="unpack it, or give a .zip archive", place=str(source))
        root = source.parent if source.name.lower().endswith(".npy") else source
        options: dict[str, Any] = {"target": wishes.target} if wishes.target else {}
        with targets_named_by_option():
            facts = gather(root, ArraySet(path=str(root), **options))
        opening = [
            Setting("data.name", "arrays"),
            path_setting(root, folder=wishes.folder),
            *(Setting(f"data.{name}", value, "as asked for") for name, value in options.items()),
        ]
        return Proposal(render(facts, list(_about(root))), propose(facts, opening))


def _about(source: Path) -> list[str]:
    arrays = list(open_arrays(source).values())
    named = [f"{each.name} {times(each.shape)} {each.dtype}" for each in arrays[: 2 * SHOWN]]
    listed = ", ".join(named + ["…"] * (len(arrays) > 2 * SHOWN))
    return [f"{source}: {len(arrays)} arrays: {listed}"]
