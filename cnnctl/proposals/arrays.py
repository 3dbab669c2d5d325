"""Proposes experiments for NumPy's arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnctl.config.wording import times
from cnnctl.data.arrays.reading import has_arrays, open_arrays
from cnnctl.data.sources.arrays import ArraySet
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
from cnnctl.storage import is_folder


class Arrays(Proposer):
    """An .npz file, or a folder of .npy files."""

    takes = "an .npz file, or a folder of .npy files"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        if is_folder(source):
            return has_arrays(source)
        return source.name.lower().endswith((".npz", ".npy"))

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
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
