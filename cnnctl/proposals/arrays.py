"""Proposes experiments for NumPy's arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnctl.config.wording import times
from cnnctl.data.arrays.naming import INPUTS, TARGETS, shared_name
from cnnctl.data.arrays.reading import ARRAY_SUFFIXES, has_arrays, open_arrays
from cnnctl.data.sources.arrays import ArraySet
from cnnctl.paths import is_folder
from cnnctl.proposals.array_choice import (
    Chosen,
    chosen_inputs,
    chosen_targets,
    heads_for,
    target_settings,
)
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
from cnnctl.proposals.targets import possible_names


class Arrays(Proposer):
    """An .npz file, or a folder or an archive of .npy files."""

    takes = "an .npz file, or a folder or an archive (.zip, .tar) of .npy files"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        return source.name.lower().endswith(ARRAY_SUFFIXES) or has_arrays(source)

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
        root = source.parent if source.name.lower().endswith(".npy") else source
        with targets_named_by_option(), _inputs_named_by_file(root):
            chosen = list(_chosen(source, root, wishes))
            options = {each.path.removeprefix("data."): each.value for each in chosen}
            facts = gather(root, ArraySet.model_validate({"path": str(root), **options}))
        opening = [
            Setting("data.name", "arrays"),
            path_setting(root, folder=wishes.folder),
            *chosen,
        ]
        return Proposal(render(facts, list(_about(root))), propose(facts, opening))


def _chosen(source: Path, root: Path, wishes: Wishes) -> Iterator[Setting]:
    """The arrays of inputs and targets: those asked for, or those whose names do not tell."""
    arrays, asked = open_arrays(root), possible_names(wishes.target)
    name = shared_name(source.stem)
    is_target = name.lower() in TARGETS or {name, source.stem} & asked
    if source.name.lower().endswith(".npy") and not is_target:
        inputs: Chosen | None = Chosen(name, "as requested")
    else:
        inputs = chosen_inputs(arrays, targets=asked)
    if inputs:
        yield Setting("data.inputs", inputs.name, inputs.reason)
    own = inputs.name if inputs else None
    targets = chosen_targets(arrays, wishes.target, inputs=own, place=str(root))
    kinds = heads_for(arrays, targets) if len(targets) > 1 else {}
    yield from target_settings(kinds, targets)


@contextmanager
def _inputs_named_by_file(root: Path) -> Iterator[None]:
    """Make hints say how to give `init` the inputs, instead of an experiment."""
    known = "save the inputs under one of the names " + ", ".join(INPUTS[:-1])
    cure = f"give it: cnnctl init {root}/NAME.npy" if is_folder(root) else known
    with (
        hints_changed("name it: data.inputs=NAME", cure),
        hints_changed("name one of them: data.inputs=NAME", "give one of them another name"),
        hints_changed("name one of them: data.target=NAME", "name one of them: --target NAME"),
        hints_changed(", or name the arrays with data.inputs, …", ", or name another --target"),
    ):
        yield


def _about(source: Path) -> list[str]:
    arrays = list(open_arrays(source).values())
    named = [f"{each.name} {times(each.shape)} {each.dtype}" for each in arrays[: 2 * SHOWN]]
    listed = ", ".join(named + ["…"] * (len(arrays) > 2 * SHOWN))
    return [f"{source}: {counted(len(arrays), 'array')} ({listed})"]
