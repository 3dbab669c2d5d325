"""Proposes experiments for NumPy's arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnctl.config.wording import times
from cnnctl.data.arrays.naming import INPUTS, TARGETS, shared_name
from cnnctl.data.arrays.reading import ARRAY_SUFFIXES, has_arrays, open_arrays
from cnnctl.data.files import TAR_SUFFIXES
from cnnctl.data.sources.arrays import ArraySet
from cnnctl.errors import data_fault
from cnnctl.proposals.document import Setting, counted
from cnnctl.proposals.proposer import (
    Proposal,
    Proposer,
    Wishes,
    hints_changed,
    refuse_pretrained,
    targets_named_by_option,
)
from cnnctl.proposals.sample_config import propose
from cnnctl.proposals.sample_facts import gather
from cnnctl.proposals.sample_report import SHOWN, render
from cnnctl.proposals.settings import path_setting
from cnnctl.storage import is_folder


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
        options = _options(source, wishes)
        with targets_named_by_option(), _inputs_named_by_file(root):
            facts = gather(root, ArraySet(path=str(root), **options))
        opening = [
            Setting("data.name", "arrays"),
            path_setting(root, folder=wishes.folder),
            *(Setting(f"data.{name}", value, "as requested") for name, value in options.items()),
        ]
        return Proposal(render(facts, list(_about(root))), propose(facts, opening))


def _options(source: Path, wishes: Wishes) -> dict[str, Any]:
    """The options asked for: the array to predict, and the inputs if their file is the source."""
    options: dict[str, Any] = {"target": wishes.target} if wishes.target else {}
    name = shared_name(source.stem)
    is_target = name.lower() in TARGETS or wishes.target in (name, source.stem)
    if source.name.lower().endswith(".npy") and not is_target:
        options["inputs"] = name
    return options


@contextmanager
def _inputs_named_by_file(root: Path) -> Iterator[None]:
    """Make hints say how to give `init` the inputs, instead of an experiment."""
    known = "save the inputs under one of the names " + ", ".join(INPUTS[:-1])
    cure = f"give it: cnnctl init {root}/NAME.npy" if is_folder(root) else known
    with hints_changed("name it: data.inputs=NAME", cure):
        yield


def _about(source: Path) -> list[str]:
    arrays = list(open_arrays(source).values())
    named = [f"{each.name} {times(each.shape)} {each.dtype}" for each in arrays[: 2 * SHOWN]]
    listed = ", ".join(named + ["…"] * (len(arrays) > 2 * SHOWN))
    return [f"{source}: {counted(len(arrays), 'array')} ({listed})"]
