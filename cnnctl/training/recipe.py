"""The recipe: from a checked experiment to a trained network in a run folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

import torch
from rich.console import Console

from cnnctl import checkpoint as checkpoints
from cnnctl.data.loader import Batches, DeviceStore, evaluation_batches, training_batches
from cnnctl.data.preparation import Prepared, prepare
from cnnctl.device import memory_faults, use_precision, use_threads
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Experiment
from cnnctl.run_folder import RunFolder
from cnnctl.training.compilation import use_cache_folder
from cnnctl.training.compile_trial import try_compile, with_compile
from cnnctl.training.environment import describe_environment
from cnnctl.training.loop import Loop, evaluate
from cnnctl.training.observers import MetricsFile, Observer, TensorBoard
from cnnctl.training.outcome import TrainingResult
from cnnctl.training.progress import EpochLines, LiveBar, print_header
from cnnctl.training.run import Run, assemble
from cnnctl.training.settings import resolve_auto
from cnnctl.training.signals import StopSignals
from cnnctl.training.starting import TrainingStart
from cnnctl.training.state import capture_last, restore, restore_random
from cnnctl.training.step import make_step


@dataclass(frozen=True, slots=True)
class Loaders:
    """The batches of each split, on the device."""

    train: Batches
    validation: Batches | None
    test: Batches | None


def train(start: TrainingStart, *, data_root: Path, console: Console) -> TrainingResult:
    """Train an experiment to its end, or go on from a checkpoint.

    Raises:
        FaultError: bad data, a loss that is not finite, a full disk, no memory left.
    """
    loaded = start.loaded
    with loaded.places("train", "device"):
        experiment = resolve_auto(loaded.experiment, loaded.plan, loaded.description)
    with loaded.places():
        device = use_machine(experiment)
    with memory_faults(device, batch_size=f"data.batch_size={experiment.data.batch_size}"):
        with loaded.places("data"):
            data = prepare(experiment.data, seed=experiment.seed, root=data_root)
        experiment = experiment.model_copy(update={"data": data.data})
        with StopSignals() as signals:
            return fit(start, experiment, data, device=device, signals=signals, console=console)


def fit(
    start: TrainingStart,
    experiment: Experiment,
    data: Prepared,
    *,
    device: torch.device,
    signals: StopSignals,
    console: Console,
) -> TrainingResult:
    """Put everything together, run the loop, and measure what came out of it."""
    heads = [task.name for task in start.loaded.tasks if task.name and not task.is_auxiliary]
    loaders = make_loaders(experiment, data, device, targets=heads)
    make_run = partial(
        assemble,
        plan=start.loaded.plan,
        tasks=start.loaded.tasks,
        device=device,
        steps_per_epoch=ceil(len(loaders.train) / experiment.train.accumulate),
    )
    if experiment.train.compile == "measure":
        with showing(console, "measuring compiled steps"):
            experiment = decide_on_compiling(experiment, make_run, loaders.train, console)
    run = make_run(experiment)
    begin(run, start, console)
    print_header(console, run, data.splits, start)
    with (
        writing_failures(start.folder),
        observing(console, run, start.folder, len(loaders.train)) as observers,
    ):
        loop = Loop(
            run=run,
            step=make_step(run, failed=partial(go_on_uncompiled, run, start.folder, console)),
            training=loaders.train,
            validation=loaders.validation,
            folder=start.folder,
            observers=observers,
            signals=signals,
        )
        if start.checkpoint is not None:
            restore_random(start.checkpoint, device)
        loop.fit()
    with writing_failures(start.folder), showing(console, "evaluating the checkpoint"):
        outcome = measure_result(loop, loaders.test)
    start.folder.write_result(outcome.to_json())
    return outcome


def decide_on_compiling(
    experiment: Experiment,
    make_run: Callable[[Experiment], Run],
    batches: Batches,
    console: Console,
) -> Experiment:
    """Try compiled steps, and say what was found; it is written down with the experiment."""
    trial = try_compile(experiment, make_run, batches)
    choice = "compiled" if trial.compile else "not compiled"
    console.print(f"train.compile=measure: {trial.found}; {choice}", soft_wrap=True, markup=False)
    return with_compile(experiment, trial.compile)


def go_on_uncompiled(run: Run, folder: RunFolder, console: Console, reason: str) -> None:
    """Say that compiling failed, and write down that the run goes on without it."""
    run.experiment = with_compile(run.experiment, False)
    folder.write_config(run.experiment.plain())
    message = f"compilation failed, continuing without it: {reason}"
    console.print(f"train.compile: {message}", soft_wrap=True, markup=False)


def use_machine(experiment: Experiment) -> torch.device:
    """Set up threads, precision and determinism for the whole process."""
    settings = experiment.train
    device = torch.device(settings.device)
    if isinstance(settings.threads, int):
        use_threads(settings.threads)
    use_precision(settings.precision, device)
    use_cache_folder()
    torch.backends.cudnn.deterministic = settings.deterministic
    torch.backends.cudnn.benchmark = not settings.deterministic
    if device.type == "cuda" and settings.deterministic:
        # cuBLAS adds up in a fixed order only in a workspace of its own; read when it starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device


def make_loaders(
    experiment: Experiment, data: Prepared, device: torch.device, *, targets: Sequence[str] = ()
) -> Loaders:
    """Put the three splits on the device, with these targets side by side."""
    known, splits = data.data, data.splits
    channels_last = experiment.train.memory_format == "channels_last"
    put = partial(
        DeviceStore.of, known, device=device, channels_last=channels_last, targets=targets
    )
    store = put(splits.train.samples)  # of which validation is a part
    test = splits.test
    return Loaders(
        train=training_batches(known, store, splits.train, seed=experiment.seed),
        validation=evaluation_batches(known, store, splits.validation)
        if len(splits.validation)
        else None,
        test=evaluation_batches(known, put(test.samples), test) if len(test) else None,
    )


def begin(run: Run, start: TrainingStart, console: Console) -> None:
    """Write down what is about to run, or put it where the checkpoint was taken."""
    start.folder.write_config(run.experiment.plain())
    if start.checkpoint is None:
        torch.manual_seed(run.experiment.seed)
        start.folder.write_environment(describe_environment(run.device))
        if start.weights is not None:
            left_out = run.take_weights(start.weights)
            console.print(_told(left_out))
        # from the very start there is something to resume from
        start.folder.save_last(capture_last(run))
    else:
        restore(run, start.checkpoint)
        start.folder.remove_result()
        if damaged := start.folder.keep_metrics(through_epoch=run.counters.epoch):
            lines = "1 invalid line" if damaged == 1 else f"{damaged} invalid lines"
            console.print(f"metrics.jsonl: dropped {lines}", markup=False)


def _told(left_out: Collection[str]) -> str:
    """Which weights a run starts from."""
    fresh = f"; re-initialised: {', '.join(left_out)}" if left_out else ""
    return f"loaded weights{fresh}"


@contextmanager
def writing_failures(folder: RunFolder) -> Iterator[None]:
    """Write down how a training failed, where the folder can still be written to."""
    try:
        yield
    except (FaultError, MemoryError, RuntimeError) as error:
        has_diverged = isinstance(error, FaultError) and error.exit_code is ExitCode.DIVERGED
        state = "diverged" if has_diverged else "failed"
        with suppress(FaultError):
            folder.write_result({"state": state, "fault": str(error), "test": None})
        raise


@contextmanager
def observing(
    console: Console, run: Run, folder: RunFolder, batches: int
) -> Iterator[list[Observer]]:
    """The observers of a training, closed at its end however it ends."""
    epochs = run.experiment.train.epochs
    observers: list[Observer] = [
        MetricsFile(folder),
        TensorBoard(folder, first_epoch=run.counters.epoch + 1),
        LiveBar(console, epochs=epochs, batches_per_epoch=batches)
        if console.is_terminal
        else EpochLines(console, epochs=epochs),
    ]
    try:
        yield observers
    finally:
        for observer in reversed(observers):
            observer.close()


def showing(console: Console, what: str) -> AbstractContextManager[object]:
    """Say on a terminal what is being done, for as long as it lasts."""
    return console.status(what) if console.is_terminal else nullcontext()


def measure_result(loop: Loop, test: Batches | None) -> TrainingResult:
    """Measure the best weights on the test split, if there is one and the run came to its end."""
    run = loop.run
    found = None
    if run.is_finished and test is not None:
        checkpoints.load_weights(run.evaluated, checkpoints.load(loop.folder.best).weights)
        found = evaluate(run, test)
    stopped_by = None if run.is_finished else loop.signals.received
    return TrainingResult(run, loop.folder, found, stopped_by)
