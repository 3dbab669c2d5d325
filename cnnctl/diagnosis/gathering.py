"""Gathers the facts: of a network as training starts, or of a run, its weights and its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.data.download import used_folder
from cnnctl.data.loader import Batches
from cnnctl.diagnosis.facts import Facts, Yardstick
from cnnctl.diagnosis.history import History
from cnnctl.diagnosis.looking import ANSWERED, SAMPLES, answers_of, look_at
from cnnctl.diagnosis.memorizing import try_to_memorize
from cnnctl.diagnosis.stepping import Weights, run_of, take_steps
from cnnctl.diagnosis.yardstick import yardstick_of
from cnnctl.distillation.plan import without_teachers
from cnnctl.experiment import Loaded, starting_weights
from cnnctl.paths import is_folder
from cnnctl.run_files import read_metrics, read_watch
from cnnctl.run_lookup import folder_of
from cnnctl.sources import is_checkpoint, open_checkpoint, open_experiment, refuse_overrides
from cnnctl.subject import on_device
from cnnctl.training.run import Run
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
    setup = set_up(without_teachers(case.loaded), data_root=case.data_root)
    with setup.memory_faults():
        if weights is None or not case.is_trained:
            return _as_written(before_training(setup, weights), case)
        facts = after_training(setup, weights, _history(case, setup))
    return _as_written(_with_records(facts, case), case)


def _as_written(facts: Facts, case: Case) -> Facts:
    """The facts of the experiment with its teachers, which were not asked."""
    distill = case.loaded.experiment.distill
    return replace(facts, experiment=facts.experiment.model_copy(update={"distill": distill}))


def before_training(setup: Setup, weights: Weights | None) -> Facts:
    """The facts of a network that training starts from."""
    run = run_of(setup.with_compile(False), weights)
    facts = with_look(known(run, setup.batches), run, setup.batches)
    steps, trial = take_steps(setup, weights), try_to_memorize(setup, weights)
    return replace(facts, is_trained=False, steps=steps, trial=trial)


def after_training(setup: Setup, weights: Weights, history: History | str) -> Facts:
    """The facts of a trained network.

    history: the epochs of its run, or why there are none.
    """
    run = run_of(setup.with_compile(False), weights)
    facts = with_look(known(run, setup.batches), run, setup.batches)
    facts = with_history(with_answers(facts, run, setup.batches), history)
    return replace(facts, steps=take_steps(setup, weights))


def known(run: Run, batches: SplitBatches, yardstick: Yardstick | None = None) -> Facts:
    """The facts of a run for which its network is not asked."""
    return Facts(
        run.experiment,
        yardstick or yardstick_of(run.tasks, batches.train),
        is_trained=True,
        mixing=[leaf.name for leaf in run.plan.leaves() if leaf.layer.mixes_samples],
        batch_samples=min(batches.train.batch_size, len(batches.train.positions)),
    )


def with_look(facts: Facts, run: Run, batches: SplitBatches, *, samples: int = SAMPLES) -> Facts:
    """The same facts with what the network of the run shows on training samples."""
    found = look_at(
        run.evaluated,
        batches.train,
        plan=run.plan,
        tasks=run.answers,
        precision=run.experiment.train.precision,
        samples=samples,
    )
    return replace(facts, look=found)


def with_answers(
    facts: Facts, run: Run, batches: SplitBatches, *, samples: int = ANSWERED
) -> Facts:
    """The same facts with the answers of the network of the run."""
    split, own = watched_split(batches)
    answers = answers_of(
        run.evaluated,
        own,
        split=split,
        samples=samples,
        plan=run.plan,
        tasks=run.answers,
        precision=run.experiment.train.precision,
    )
    return replace(facts, answers=answers)


def with_history(facts: Facts, history: History | str) -> Facts:
    """The same facts with the epochs of the run, or why there are none."""
    if isinstance(history, str):
        return replace(facts, missing={**facts.missing, "history": history})
    return replace(facts, history=history)


def watched_split(batches: SplitBatches) -> tuple[str, Batches]:
    """The split that shows what is learnt: validation, or else test, or else train."""
    if batches.validation is not None:
        return "validation", batches.validation
    return ("test", batches.test) if batches.test is not None else ("training", batches.train)


def _history(case: Case, setup: Setup) -> History | str:
    """The epochs of the run, or why there are none."""
    if case.folder is None:
        return "the checkpoint is not in a run folder"
    rows = read_metrics(case.folder).rows
    if not rows:
        return "the run folder has no metrics.jsonl with finished epochs"
    return History(rows, samples_of(setup.batches))


def _with_records(facts: Facts, case: Case) -> Facts:
    """The same facts with what the run recorded of its layers, or why it did not."""
    records = read_watch(case.folder).records if case.folder is not None else []
    reason = "nothing was recorded: train with train.watch=true"
    return replace(facts, records=records, missing={**facts.missing, "records": reason})


def samples_of(batches: SplitBatches) -> dict[str, int]:
    """The number of samples of both splits that every epoch measures."""
    held_out = 0 if batches.validation is None else len(batches.validation.positions)
    return {"train": len(batches.train.positions), "val": held_out}
