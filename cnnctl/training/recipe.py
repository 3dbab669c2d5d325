"""The recipe: training with a run folder and progress on the console."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from cnnctl.errors import ExitCode, FaultError
from cnnctl.run_folder import RunFolder
from cnnctl.training.agreement import check_agreement
from cnnctl.training.compile_trial import try_compile
from cnnctl.training.environment import describe_environment
from cnnctl.training.observers import Observer
from cnnctl.training.progress import EpochLines, LiveBar, print_header
from cnnctl.training.recording import ConfigFile, FolderStore, MetricsFile, Snapshots, TensorBoard
from cnnctl.training.result import TrainingResult
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.signals import StopSignals
from cnnctl.training.starting import TrainingStart
from cnnctl.training.stores import NoStore
from cnnctl.training.training import Training
from cnnctl.training.watch_recording import WatchBoard, WatchFile
from cnnctl.training.watching import Watch
from cnnctl.world import ALONE, World

Follow = Callable[[Training, RunFolder, Console], Observer]
"""Makes an observer of a training that is recorded in this folder."""


def train(
    start: TrainingStart,
    *,
    data_root: Path | None,
    console: Console,
    follow: Sequence[Follow] = (),
    stops: StopSignals | None = None,
) -> tuple[TrainingResult, signal.Signals | None]:
    """Train an experiment to its end, or resume from a checkpoint.

    follow: makers of further observers, which come after those that record the training.
    stops: the signals that stop the training; by default, those of a command.

    Returns the result, and the signal that stopped the training early, if any.

    Raises:
        FaultError: bad data, a loss that is not finite, a full disk, out of memory.
    """
    world, folder = start.world, start.folder
    with world.together():
        setup = set_up(start.loaded, data_root=data_root, world=world)
    check_agreement(setup.experiment, setup.splits.train, world)
    with setup.memory_faults(), stops or StopSignals() as signals:
        if setup.experiment.train.compile == "measure":
            setup = decide_on_compiling(setup, console)
        if not world.is_first:
            result = train_along(setup, start, stop=signals.were_received)
            return result, stopped_by(signals, result, world)
        training = Training.of(setup, store=FolderStore(folder), stop=signals.were_received)
        begin(training, start, console, compile_trial=setup.compile_trial)
        print_header(console, training.run, setup.splits, start)
        with writing_failures(folder):
            with observing(training, folder, console, follow):
                training.fit()
            with showing(console, "evaluating the checkpoint"):
                remarks = [
                    line
                    for observer in training.observers
                    for line in observer.remarks(training.run)
                ]
                result = replace(training.result(), remarks=remarks)
        folder.write_result(result.to_json())
        return result, stopped_by(signals, result, world)


def train_along(setup: Setup, start: TrainingStart, *, stop: Callable[[], bool]) -> TrainingResult:
    """Train on a rank other than 0, which neither writes nor prints."""
    training = Training.of(setup, store=NoStore(), stop=stop)
    if start.checkpoint is not None:
        training.resume(start.checkpoint)
    else:
        training.begin(start.weights)
    training.fit()
    return training.result()


def stopped_by(signals: StopSignals, result: TrainingResult, world: World) -> signal.Signals | None:
    """The signal that stopped the training early on any rank, if any."""
    received = [number for number in world.gather(signals.received) if number]
    return None if result.is_finished or not received else signal.Signals(received[0])


def decide_on_compiling(setup: Setup, console: Console) -> Setup:
    """Measure compiled steps, print the result, and record it in the experiment."""
    world = setup.world
    if not world.is_first:
        world.meet()
        return setup.with_compile(world.share(None))
    with showing(console, "measuring compiled steps"):
        trial = try_compile(replace(setup, world=ALONE))
    world.meet()
    world.share(trial.compile)
    choice = "compiled" if trial.compile else "not compiled"
    console.print(f"train.compile=measure: {trial.found}; {choice}", soft_wrap=True, markup=False)
    return setup.with_compile(trial.compile, trial=trial.to_json())


def begin(
    training: Training,
    start: TrainingStart,
    console: Console,
    *,
    compile_trial: Mapping[str, Any] | None = None,
) -> None:
    """Record what is about to run, and start it or resume it from its checkpoint."""
    start.folder.write_config(training.run.experiment.plain())
    if start.checkpoint is not None:
        training.resume(start.checkpoint)
        start.folder.remove_result()
        return
    environment = describe_environment(training.run.device, ranks=start.world.size)
    start.folder.write_environment({**environment, "compile_trial": compile_trial})
    left_out = training.begin(start.weights)
    if start.weights is not None:
        console.print(_initial_weights(left_out))


def _initial_weights(left_out: Collection[str]) -> str:
    """A line with the weights that a run starts from."""
    fresh = f"; re-initialised: {', '.join(left_out)}" if left_out else ""
    return f"loaded weights{fresh}"


@contextmanager
def writing_failures(folder: RunFolder) -> Iterator[None]:
    """Record how a training failed, if the folder can still be written to."""
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
    training: Training, folder: RunFolder, console: Console, follow: Sequence[Follow] = ()
) -> Iterator[None]:
    """The observers of a training, closed when it ends for any reason."""
    settings, batches = training.run.experiment.train, len(training.batches.train)
    epochs = settings.epochs
    observers: list[Observer] = [
        *watching(settings.watch, folder, console),
        *([Snapshots(folder, interval=settings.snapshots)] if settings.snapshots else []),
        ConfigFile(folder),
        MetricsFile(folder, console),
        TensorBoard(folder),
        LiveBar(console, epochs=epochs, batches_per_epoch=batches)
        if console.is_terminal
        else EpochLines(console, epochs=epochs),
        *(make(training, folder, console) for make in follow),
    ]
    training.observers = observers
    try:
        yield
    finally:
        for observer in reversed(observers):
            observer.close()


def watching(interval: int, folder: RunFolder, console: Console) -> list[Observer]:
    """The observers that record the layers, if the experiment says so."""
    if not interval:
        return []
    recorders = WatchFile(folder, console), WatchBoard(folder)
    return [Watch(*recorders, interval=interval), *recorders]


def showing(console: Console, what: str) -> AbstractContextManager[object]:
    """Show on a terminal what is being done, while it lasts."""
    return console.status(what) if console.is_terminal else nullcontext()
