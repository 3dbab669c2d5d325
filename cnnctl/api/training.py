"""Training from Python: the same runs as those of `cnnctl train`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from cnnctl.api.measuring import Evaluation, evaluate
from cnnctl.api.network import Network
from cnnctl.api.opening import load
from cnnctl.api.sources import Config, Options, config_of, words_of
from cnnctl.console import Screen
from cnnctl.data.download import used_folder
from cnnctl.data.preparation import SplitName
from cnnctl.device import settings_restored
from cnnctl.diagnosis.commentary import Commentator
from cnnctl.errors import config_fault
from cnnctl.run_files import EpochMetrics, read_metrics, read_result
from cnnctl.run_lookup import find_checkpoint
from cnnctl.training import recipe
from cnnctl.training.profiling import Profile
from cnnctl.training.progress import print_outcome
from cnnctl.training.result import TrainingResult
from cnnctl.training.signals import StopSignals
from cnnctl.training.starting import TrainingStart, begin_run, resume_run


@dataclass(frozen=True)
class Run:
    """The folder of a run, whether it was trained here or by `cnnctl train`."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def metrics(self) -> list[EpochMetrics]:
        """The metrics of each epoch, as metrics.jsonl has them.

        Raises:
            FaultError: the file cannot be read.
        """
        return read_metrics(self.folder).rows

    @property
    def result(self) -> dict[str, Any]:
        """How it ended: `state`, `stopped_early`, and loss and accuracy in `test`; else empty.

        Raises:
            FaultError: the file cannot be read.
        """
        return read_result(self.folder)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the best epoch, or else the last.

        Raises:
            FaultError: there is none.
        """
        return find_checkpoint(self.folder)

    def load(
        self, *, device: str = "auto", plugins: Sequence[str | os.PathLike[str]] = ()
    ) -> Network:
        """Its network with the weights of the best epoch; see `cnnctl.load`."""
        return load(self.folder, device=device, plugins=plugins)

    def evaluate(
        self,
        *,
        split: SplitName | None = None,
        views: int = 1,
        device: str = "auto",
        data_root: str | os.PathLike[str] | None = None,
        plugins: Sequence[str | os.PathLike[str]] = (),
    ) -> Evaluation:
        """Measure its network on a split of its dataset; see `cnnctl.evaluate`."""
        return evaluate(
            self.folder,
            split=split,
            views=views,
            device=device,
            data_root=data_root,
            plugins=plugins,
        )


def train(
    source: Config | None = None,
    *,
    overrides: Options | None = None,
    resume: str | os.PathLike[str] | Run | bool | None = None,
    runs: str | os.PathLike[str] = "runs",
    data_root: str | os.PathLike[str] | None = None,
    device: str | None = None,
    plugins: Sequence[str | os.PathLike[str]] = (),
    progress: bool = True,
    profile: bool = False,
    **options: Any,
) -> Run:
    """Train an experiment to its end, in a new folder below `runs`, or resume a run.

    source: YAML text, the path of a YAML file, the name of a shipped experiment, or a mapping.
    overrides: options by their dotted paths: `{"optimizer.lr": 0.1}`.
    resume: a run, its folder or a checkpoint in it; True is the newest run of the source's name.
    runs: the directory for run folders.
    data_root: the dataset directory; by default, $CNNCTL_DATA or `data`.
    device: `cpu`, `cuda`, `cuda:1` or `auto`; by default, that of the experiment.
    plugins: Python files that a resumed run needs; their code is run.
    progress: whether to show it; False prints nothing.
    profile: write a trace of a few steps to the run folder, as `cnnctl train --profile` does.
    options: options of the experiment by their sections: `seed=1, train={"epochs": 3}`.
        A mapping is merged into what is there, unless it has a `name`: then it replaces it.

    Raises:
        FaultError: the faults of the experiment, each with its place; bad data; a loss that is not
            finite; a full disk; memory runs out.
        KeyboardInterrupt: the training was interrupted, and its state saved: it can be resumed. A
            second interrupt does not wait for that.

    Example:
        >>> run = cnnctl.train("lenet", train={"epochs": 3})
        >>> run.metrics[-1]["val_accuracy"]
        0.9444444444444444
    """
    root = None if data_root is None else Path(data_root)
    words = words_of(options, overrides, {} if device is None else {"train.device": device})
    with settings_restored():
        start = _start(source, words, resume, Path(runs), plugins, root)
        stops = _interrupts()
        console = _console(progress)
        result, _ = run_to_its_end(
            start, data_root=root, console=console, stops=stops, is_profiled=profile
        )
    print_outcome(console, result, start.folder)
    if stops.received is not None:
        raise KeyboardInterrupt(f"resume it with cnnctl.train(resume={str(start.folder.path)!r})")
    return Run(start.folder.path)


def _start(
    source: Config | None,
    words: Sequence[str],
    resume: str | os.PathLike[str] | Run | bool | None,
    runs: Path,
    plugins: Sequence[str | os.PathLike[str]],
    root: Path | None,
) -> TrainingStart:
    config = None if source is None else config_of(source)
    if resume:
        path = resume.folder if isinstance(resume, Run) else resume
        return resume_run(
            config,
            words,
            "" if path is True else str(path),
            runs=runs,
            plugins=[Path(each) for each in plugins],
            data_root=root,
        )
    if config is None:
        raise config_fault("no experiment given", hint='try cnnctl.train("lenet")')
    return begin_run(config, words, runs=runs, data_root=root)


def _console(is_shown: bool) -> Console:
    """The console for progress; in a notebook, a stream of lines, not an output for each."""
    console = Screen(quiet=not is_shown)
    if console.is_jupyter:
        return Screen(quiet=not is_shown, force_jupyter=False, force_terminal=False)
    return console


def _interrupts() -> StopSignals:
    """What stops a training that is called: Ctrl-C, where this is the main thread."""
    is_main = threading.current_thread() is threading.main_thread()
    can_handle = is_main and signal.getsignal(signal.SIGINT) is not None
    return StopSignals([signal.SIGINT] if can_handle else [], at_second=_interrupt)


def _interrupt(number: int) -> NoReturn:
    raise KeyboardInterrupt


def run_to_its_end(
    start: TrainingStart,
    *,
    data_root: Path | None,
    console: Console,
    stops: StopSignals | None = None,
    is_profiled: bool = False,
) -> tuple[TrainingResult, signal.Signals | None]:
    """Train with remarks on how it goes, and close the folder; see `recipe.train`."""
    follow: list[recipe.Follow] = [Commentator.of, *([Profile] if is_profiled else [])]
    root = used_folder(start.loaded.experiment.data, data_root)
    try:
        return recipe.train(start, data_root=root, console=console, follow=follow, stops=stops)
    finally:
        start.folder.close()
