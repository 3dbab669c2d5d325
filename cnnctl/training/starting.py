"""The start of training: a new run folder, or the checkpoint of an existing one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.checkpoint import Checkpoint, check_weights
from cnnctl.checkpoint import load as load_checkpoint
from cnnctl.config.overrides import apply
from cnnctl.config.source import Place, Text, from_plain
from cnnctl.config.validation import validate
from cnnctl.distillation.plan import are_the_same, with_hashes
from cnnctl.errors import checkpoint_fault
from cnnctl.experiment import Experiment, Loaded, check, load, placed, starting_weights
from cnnctl.layout import Part
from cnnctl.model.network import meta_network
from cnnctl.model.weights_file import Tensors
from cnnctl.paths import is_file, is_folder
from cnnctl.plugins import load_plugins
from cnnctl.run_files import OVERRIDES
from cnnctl.run_folder import RunFolder, create, find_last, folder_of, newest, reopen
from cnnctl.sources import read_experiment
from cnnctl.training.resuming import inexact_because, reconcile


@dataclass(frozen=True, slots=True)
class TrainingStart:
    """What to train, where to write, and the state to resume from, if any."""

    loaded: Loaded
    folder: RunFolder
    checkpoint: Checkpoint | None = None
    inexact: str = ""
    """Why the run is not bit-identical to an uninterrupted one; empty if it is."""
    weights: Tensors | None = None
    """Initial weights of a new run; None for random ones."""


def begin_run(
    config: Path | Text, overrides: Sequence[str], *, runs: Path, data_root: Path | None = None
) -> TrainingStart:
    """Check an experiment and create its run folder.

    Raises:
        FaultError: faults of the experiment or its initial weights, or the folder cannot be
            created.
    """
    loaded = with_hashes(load(config, overrides, data_root=data_root))
    weights = starting_weights(loaded)
    folder = create(runs, loaded.experiment.name)
    try:
        folder.write_source(_source_text(loaded, overrides))
    except BaseException:
        folder.close()
        raise
    return TrainingStart(loaded, folder, weights=weights)


def _source_text(loaded: Loaded, overrides: Sequence[str]) -> str:
    given = shlex.join(overrides).replace("\n", "\n# ")
    lines = [f"{OVERRIDES}{given}\n"] if overrides else []
    return "".join([*lines, loaded.text])


def resume_run(
    config: Path | Text | None,
    overrides: Sequence[str],
    resume: str,
    *,
    runs: Path,
    plugins: Sequence[Path] = (),
    data_root: Path | None = None,
) -> TrainingStart:
    """Find a run, lock its folder, and read the state to resume from.

    `resume` is a run folder, a checkpoint in one, or empty for the newest run of the experiment's
    name.

    Raises:
        FaultError: there is no such run, it is in use, its checkpoint is damaged, or the
            experiment has changed.
    """
    asked = with_hashes(load(config, overrides, data_root=data_root)) if config else None
    path = _last_checkpoint(resume, asked, runs)
    home = folder_of(path)
    if home is None:
        message = "is not in a run folder, so the run cannot be resumed"
        hint = "use checkpoints/last.safetensors in a run folder"
        raise checkpoint_fault(message, hint=hint, place=str(path))
    folder = reopen(home)
    try:
        folder.own("checkpoints", path.name)
        return _continue(asked, overrides, path, folder, plugins)
    except BaseException:
        folder.close()
        raise


def _last_checkpoint(resume: str, asked: Loaded | None, runs: Path) -> Path:
    if resume:
        path = Path(resume)
        if not is_file(path) and not is_folder(path):
            message = "no such run folder or checkpoint"
            raise checkpoint_fault(message, hint="check the path", place=resume)
        return find_last(path) if is_folder(path) else path
    if asked is None:
        message, hint = "no run given to resume", "give a config file or a run folder"
        raise checkpoint_fault(message, hint=hint)
    return find_last(newest(runs, asked.experiment.name))


def _continue(
    asked: Loaded | None,
    overrides: Sequence[str],
    path: Path,
    folder: RunFolder,
    plugins: Sequence[Path],
) -> TrainingStart:
    checkpoint = load_checkpoint(path)
    load_plugins(plugins)
    before = read_experiment(checkpoint, place=str(path), known=asked)
    check_weights(meta_network(before.plan), checkpoint.under(Part.MODEL))
    wanted = asked.experiment if asked else _overridden(before, overrides)
    experiment = reconcile(wanted, _with_moved(before.experiment, wanted), place=str(path))
    inexact = inexact_because(experiment, before.experiment, checkpoint)
    return TrainingStart(replace(before, experiment=experiment), folder, checkpoint, inexact)


def _overridden(before: Loaded, overrides: Sequence[str]) -> Experiment:
    """The experiment of a checkpoint, with overrides from the command line."""
    node = apply(from_plain(before.experiment.plain(), Place("the run's config.yaml")), overrides)
    with placed(node):
        experiment = validate(Experiment, node)
        plan, description = check(experiment, known=before)
    return with_hashes(Loaded(experiment, node, plan, description)).experiment


def _with_moved(before: Experiment, wanted: Experiment) -> Experiment:
    """The experiment with its teachers where they are wanted now, if they are the same."""
    if not are_the_same(before.distill, wanted.distill):
        return before
    assert before.distill is not None and wanted.distill is not None
    moved = before.distill.model_copy(update={"teacher": wanted.distill.teacher})
    return before.model_copy(update={"distill": moved})
