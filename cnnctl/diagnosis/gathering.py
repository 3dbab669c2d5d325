"""Gathers the facts: of a network as training starts, or of a run, its weights and its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.data.download import used_folder
from cnnctl.data.loader import Batches
from cnnctl.diagnosis.facts import Facts
from cnnctl.diagnosis.history import History
from cnnctl.diagnosis.looking import answers_of, look_at
from cnnctl.diagnosis.memorizing import try_to_memorize
from cnnctl.diagnosis.stepping import Weights, run_of, take_steps
from cnnctl.diagnosis.yardstick import yardstick_of
from cnnctl.experiment import Loaded, starting_weights
from cnnctl.run_files import read_metrics
from cnnctl.run_folder import folder_of
from cnnctl.sources import is_checkpoint, open_checkpoint, open_experiment, refuse_overrides
from cnnctl.storage import is_folder
from cnnctl.subject import on_device
from cnnctl.training.setup import Setup, SplitBatches, set_up


@dataclass(frozen=True, slots=True)
class Case:
    """What is diagnosed: an experiment, its weights if it is trained, and its run folder."""

    loaded: Loaded
    weights: Weights | None
    epoch: int | None
    """Completed epochs of these weights; None if unknown, or not trained."""
    folder: Path | None
    data_root: Path | None

    @property
    def is_trained(self) -> bool:
        """Whether the weights are those of a checkpoint."""
        return self.weights is not None


def open_case(
    source: Path,
    overrides: Sequence[str] = (),
    *,
    device: str = "auto",
    plugins: Sequence[Path] = (),
    data_root: Path | None = None,
) -> Case:
    """The experiment and the weights of a YAML file, a name, a run folder or a checkpoint.

    Raises:
        FaultError: the faults of the file or the checkpoint; overrides for a checkpoint.
    """
    if not is_checkpoint(source):
        loaded = open_experiment(source, overrides, plugins, data_root=data_root)
        root = used_folder(loaded.experiment.data, data_root)
        return Case(on_device(loaded, device), None, None, None, root)
    refuse_overrides(overrides)
    loaded, checkpoint = open_checkpoint(source, plugins)
    folder = source if is_folder(source) else folder_of(source)
    root = used_folder(loaded.experiment.data, data_root)
    loaded = on_device(loaded, device)
    return Case(loaded, checkpoint.weights, checkpoint.epoch, folder, root)


def gather(case: Case) -> Facts:
    """Look at the network and its data, take a few steps, and read the epochs of its run.

    Nothing is kept.

    Raises:
        FaultError: bad data, weights that do not fit, out of memory, or the device is unavailable.
    """
    weights = case.weights if case.is_trained else starting_weights(case.loaded)
    setup = set_up(case.loaded, data_root=case.data_root)
    with setup.memory_faults():
        return _with_setup(case, setup, weights)


def _with_setup(case: Case, setup: Setup, weights: Weights | None) -> Facts:
    run = run_of(setup.with_compile(False), weights)
    precision = setup.experiment.train.precision
    look = look_at(
        run.network,
        setup.batches.train,
        plan=run.plan,
        tasks=run.answers,
        precision=precision,
    )
    facts = Facts(
        setup.experiment,
        yardstick_of(run.tasks, setup.batches.train),
        is_trained=case.is_trained,
        mixing=[leaf.name for leaf in run.plan.leaves() if leaf.layer.mixes_samples],
        batch_samples=min(setup.batches.train.batch_size, len(setup.splits.train)),
        look=look,
        steps=take_steps(setup, weights),
    )
    if not case.is_trained:
        return replace(facts, trial=try_to_memorize(setup))
    split, batches = watched_split(setup.batches)
    answers = answers_of(
        run.network, batches, split=split, plan=run.plan, tasks=run.answers, precision=precision
    )
    history, missing = _history(case, setup)
    return replace(facts, answers=answers, history=history, missing=missing)


def watched_split(batches: SplitBatches) -> tuple[str, Batches]:
    """The split that shows what is learnt: validation, or else test, or else train."""
    if batches.validation is not None:
        return "validation", batches.validation
    return ("test", batches.test) if batches.test is not None else ("training", batches.train)


def _history(case: Case, setup: Setup) -> tuple[History | None, dict[str, str]]:
    """The epochs of the run, and why there are none."""
    if case.folder is None:
        return None, {"history": "the checkpoint is not in a run folder"}
    rows = read_metrics(case.folder).rows
    if not rows:
        return None, {"history": "the run folder has no metrics.jsonl with finished epochs"}
    return History(rows, setup.experiment.train.epochs, samples_of(setup)), {}


def samples_of(setup: Setup) -> dict[str, int]:
    """The number of samples of both splits that every epoch measures."""
    return {"train": len(setup.splits.train), "val": len(setup.splits.validation)}
