"""Gathers the facts of an experiment: its data read whole, a few steps, what the machine has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cnnctl.data.dataset import StoredSplit, data_root
from cnnctl.data.preparation import SplitName
from cnnctl.data.samples import Splits
from cnnctl.errors import ExitCode, Fault, FaultError, data_faults, gathered
from cnnctl.experiment import Loaded
from cnnctl.training.settings import resolve_auto
from cnnctl.training.setup import Setup, set_up, use_machine
from cnnctl.verification.facts import Facts
from cnnctl.verification.likenesses import likenesses_of
from cnnctl.verification.memory import Meter, data_bytes, memory_of
from cnnctl.verification.steps import duration_of, try_steps


def gather(loaded: Loaded, *, folder: Path | None = None) -> Facts:
    """Look at all that training will meet; nothing of it is kept but what is cached or downloaded.

    folder: the folder given for the data, if any.

    Raises:
        FaultError: the data is broken, with all its faults; the device or the initial weights are
            not available; out of memory.
    """
    with loaded.places("train", "device"):
        experiment = resolve_auto(loaded.experiment, loaded.plan, loaded.description)
    with loaded.places():
        device = use_machine(experiment)
    facts = Facts(loaded, memory_of(loaded, experiment, device))
    if not facts.memory.fits:
        return facts
    meter = Meter(device)
    try:
        with meter.reading():
            setup = set_up(loaded, data_root=folder)
    except FaultError as error:
        if error.exit_code is ExitCode.DATA:
            _name_all(loaded, folder, error)
        raise
    with setup.memory_faults():
        return _with_setup(facts, setup, meter)


def _with_setup(facts: Facts, setup: Setup, meter: Meter) -> Facts:
    """The facts with those that reading the data and training on it show."""
    loaded, steps = facts.loaded, try_steps(setup)
    measured = meter.measured(setup.splits)
    data = data_bytes(setup.splits, loaded, setup.experiment, setup.device)
    computed = replace(facts.memory.computed, data=data)
    return replace(
        facts,
        memory=replace(facts.memory, computed=computed, measured=measured),
        samples=_counts(setup.splits),
        skipped=getattr(setup.experiment.data, "skipped", ()),
        steps=steps,
        likenesses=likenesses_of(
            setup.splits,
            loaded.description,
            are_characters=loaded.experiment.data.shows_characters,
        ),
        duration=None if steps.error else duration_of(setup, steps),
    )


def _name_all(loaded: Loaded, folder: Path | None, error: FaultError) -> None:
    """Raise the faults of all splits, of which reading has found those of one."""
    data, root = loaded.experiment.data.located(folder), folder or data_root()
    faults = list[Fault]()
    names: list[StoredSplit] = ["train", "test"] if data.whole().has_test else ["train"]
    for name in names:
        with gathered(faults):
            data.load(name, root=root, download=False)
    found = list(dict.fromkeys(faults))
    if len(found) > len(error.every):
        raise data_faults(found) from None


def _counts(splits: Splits) -> dict[SplitName, int]:
    return {
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }
