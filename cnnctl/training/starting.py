"""The start of training: a new run folder, or the checkpoint of an existing one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.checkpoint import Checkpoint, check_weights, decode, read
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
from cnnctl.run_folder import RunFolder, create, reopen, written_elsewhere
from cnnctl.run_lookup import find_last, folder_of, newest
from cnnctl.sources import read_experiment
from cnnctl.training.launch import begun_by, launch_of
from cnnctl.training.resuming import inexact_because, ranks_of, reconcile, with_other_threads
from cnnctl.world import ALONE, World


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
    world: World = ALONE
    """The ranks that train together; rank 0 alone writes to the folder."""


def begin_run(
    config: Path | Text,
    overrides: Sequence[str],
    *,
    runs: Path,
    data_root: Path | None = None,
    world: World = ALONE,
) -> TrainingStart:
    """Check an experiment and create its run folder.

    After a restart by torchrun, resume the run that the same launch has begun.

    Raises:
        FaultError: faults of the experiment or its initial weights, or the folder cannot be
            created.
    """
    with world.together():
        loaded = with_hashes(load(config, overrides, data_root=data_root))
        weights = starting_weights(loaded)
    with world.together():
        begun, folder = None, None
        if world.is_first:
            begun = begun_by(launch_of(), runs=runs, name=loaded.experiment.name)
            folder = None if begun else _new_folder(loaded, overrides, runs)
    if before := world.share(str(begun or "")):
        return resume_run(config, overrides, before, runs=runs, data_root=data_root, world=world)
    return TrainingStart(loaded, _known_to_all(folder, world), weights=weights, world=world)


def _new_folder(loaded: Loaded, overrides: Sequence[str], runs: Path) -> RunFolder:
    folder = create(runs, loaded.experiment.name)
    try:
        folder.write_source(_source_text(loaded, overrides))
    except BaseException:
        folder.close()
        raise
    return folder


def _known_to_all(folder: RunFolder | None, world: World) -> RunFolder:
    """The folder of rank 0, which has locked it."""
    path = Path(world.share(str(folder.path if folder else "")))
    return folder or written_elsewhere(path)


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
    world: World = ALONE,
) -> TrainingStart:
    """Find a run, lock its folder, and read the state to resume from.

    `resume` is a run folder, a checkpoint in one, or empty for the newest run of the experiment's
    name.

    Raises:
        FaultError: there is no such run, it is in use, its checkpoint is damaged, or the
            experiment has changed.
    """
    with world.together():
        asked = with_hashes(load(config, overrides, data_root=data_root)) if config else None
    folder, content, place = None, b"", ""
    try:
        with world.together():
            if world.is_first:
                path = _last_checkpoint(resume, asked, runs)
                folder = _locked(path)
                content, place = read(path), str(path)
        content, place = world.share_bytes(content), world.share(place)
        with world.together():
            checkpoint = decode(content, place=place)
            loaded, inexact = _continued(asked, overrides, checkpoint, place, plugins, world)
        folder = _known_to_all(folder, world)
        return TrainingStart(loaded, folder, checkpoint, inexact, world=world)
    except BaseException:
        if folder is not None:
            folder.close()
        raise


def _locked(path: Path) -> RunFolder:
    """The folder of the run that a checkpoint is of, locked."""
    home = folder_of(path)
    if home is None:
        message = "is not in a run folder, so the run cannot be resumed"
        hint = "use checkpoints/last.safetensors in a run folder"
        raise checkpoint_fault(message, hint=hint, place=str(path))
    folder = reopen(home)
    try:
        folder.own("checkpoints", path.name)
    except BaseException:
        folder.close()
        raise
    return folder


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


def _continued(
    asked: Loaded | None,
    overrides: Sequence[str],
    checkpoint: Checkpoint,
    place: str,
    plugins: Sequence[Path],
    world: World,
) -> tuple[Loaded, str]:
    """The experiment to go on with, and why it is not exact."""
    load_plugins(plugins)
    before = read_experiment(checkpoint, place=place, known=asked)
    check_weights(meta_network(before.plan), checkpoint.under(Part.MODEL))
    wanted = asked.experiment if asked else _overridden(before, overrides)
    experiment = reconcile(wanted, _with_moved(before.experiment, wanted), place=place)
    inexact = inexact_because(experiment, before.experiment, checkpoint, ranks=world.size)
    if ranks_of(checkpoint) != world.size:
        experiment = with_other_threads(experiment, before.experiment)
    return replace(before, experiment=experiment), inexact


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
