"""Progress output: a live bar on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cnnctl.data.samples import Splits
from cnnctl.device import describe_device
from cnnctl.escaping import visible
from cnnctl.metrics import Accuracy, Number
from cnnctl.metrics.naming import label_of, parted, show_metric
from cnnctl.metrics.wording import show_loss
from cnnctl.run_files import EpochMetrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.bar import OneLine
from cnnctl.training.observers import Observer
from cnnctl.training.pace import Pace
from cnnctl.training.result import TrainingResult
from cnnctl.training.run import Counters, Run
from cnnctl.training.starting import TrainingStart

REFRESH_SECONDS = 0.25
"""Interval at which the bar reads the loss, which waits for a GPU."""


class EpochLines(Observer):
    """One line per epoch: losses, accuracies, speed."""

    def __init__(self, console: Console, *, epochs: int) -> None:
        self.console = console
        self.epochs = epochs

    def epoch_began(self, run: Run) -> None:
        """Note how many epochs are planned."""
        self.planned(run)

    def planned(self, run: Run) -> None:
        """Note how many epochs are planned."""
        self.epochs = run.planned_epochs

    def compiling_failed(self, run: Run, reason: str) -> None:
        """Print a note."""
        message = f"compilation failed, continuing without it: {reason}"
        self.console.print(f"train.compile: {message}", soft_wrap=True, markup=False)

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Print the line; on a terminal, only what fits."""
        width = self.console.width if self.console.is_terminal else None
        line = epoch_line(row, epochs=self.epochs, width=width)
        self.console.print(line, soft_wrap=True)


class LiveBar(Observer):
    """A bar with loss, accuracy, speed and remaining time, below one line per epoch."""

    def __init__(self, console: Console, *, epochs: int, batches_per_epoch: int) -> None:
        self.lines = EpochLines(console, epochs=epochs)
        self.batches_per_epoch = batches_per_epoch
        self.progress = OneLine(console=console, transient=True, auto_refresh=False)
        self.task = self.progress.add_task(
            "", total=epochs * batches_per_epoch, head=self.head(1), parts=[]
        )
        self.progress.start()
        self.shown_at = 0.0
        self.pace = Pace()

    def head(self, epoch: int) -> str:
        """`epoch 3/20`."""
        return f"epoch {min(epoch, self.lines.epochs)}/{self.lines.epochs}"

    def resumed(self, counters: Counters) -> None:
        """Start at the epoch that the run resumes."""
        self.show(counters.epoch)

    def compiling_failed(self, run: Run, reason: str) -> None:
        """Print a note above the bar."""
        self.lines.compiling_failed(run, reason)

    def epoch_began(self, run: Run) -> None:
        """Start timing."""
        self.planned(run)
        self.pace.go_on(run.tally.samples)

    def planned(self, run: Run) -> None:
        """Let the bar end where the run is planned to end."""
        self.lines.planned(run)
        batches = run.counters.epoch * self.batches_per_epoch + run.counters.batch
        batches += run.remaining_steps * run.experiment.train.accumulate
        most = run.planned_epochs * self.batches_per_epoch
        self.progress.update(self.task, total=min(batches, most))

    def stepped(self, run: Run) -> None:
        """Redraw the bar, a few times a second at most."""
        now = time.perf_counter()
        if now - self.shown_at < REFRESH_SECONDS:
            return
        done = run.counters.epoch * self.batches_per_epoch + run.counters.batch
        parts, head = self.metrics(run, now=now), self.head(run.counters.epoch + 1)
        self.progress.update(self.task, completed=done, head=head, parts=parts, refresh=True)
        self.shown_at = now

    def metrics(self, run: Run, *, now: float) -> list[str]:
        """Loss, accuracy and speed of the epoch so far; waits for the device."""
        loss, shares = run.tally.read()
        accuracies = [
            visible(f"{task.name or 'accuracy'} {share:.2%}")
            for task, share in zip(run.classifying, shares, strict=True)
        ]
        rate = self.pace.read(run.tally.samples, now=now)
        speed = [] if rate is None else [f"{rate:,.0f} samples/s"]
        return [f"loss {show_loss(loss)}", *accuracies, *speed]

    def steps_ended(self, run: Run) -> None:
        """Stop timing, and show what is being done."""
        self.pace.pause(run.tally.samples)
        if run.experiment.data.has_validation:
            self.progress.update(self.task, parts=["validating"], refresh=True)

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Print the line of the epoch above the bar."""
        self.show(row["epoch"])
        self.lines.epoch_ended(row)

    def show(self, epochs: int) -> None:
        """Advance the bar to the end of this many epochs."""
        done, head = epochs * self.batches_per_epoch, self.head(epochs + 1)
        self.progress.update(self.task, completed=done, head=head)

    def close(self) -> None:
        """Remove the bar."""
        self.progress.stop()


def epoch_line(row: EpochMetrics, *, epochs: int, width: int | None = None) -> Text:
    """`epoch  3/20  train 0.4321 91.20%  val 0.3911 93.10%  lr 0.05  12,345 samples/s`.

    If a width is given, the least important parts are omitted until the line fits.
    """
    lines = [_epoch_line(row, epochs, **form) for form in _FORMS]
    return next((line for line in lines if width is None or line.cell_len <= width), lines[-1])


_FORMS: Sequence[dict[str, Any]] = (
    {},
    {"rate": "/s"},
    {"rate": ""},
    {"rate": "", "with_lr": False},
    {"rate": "", "with_lr": False, "with_heads": False},
)
"""Forms of an epoch's line, from complete to losses only."""


def _epoch_line(
    row: EpochMetrics,
    epochs: int,
    *,
    rate: str = " samples/s",
    with_lr: bool = True,
    with_heads: bool = True,
) -> Text:
    parts = [Text(f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}")]
    for split, style in (("train", "cyan"), ("val", "green")):
        if f"{split}_loss" in row:
            part = Text(f"{split} ").append(show_loss(row[f"{split}_loss"]), style=style)
            for head, share in _accuracies(row, split) if with_heads else []:
                part.append(f" {visible(head)}").append(f"{share:7.2%}", style=style)
            for label, value in _watched(row, split):
                part.append(f" {label} ").append(value, style=style)
            parts.append(part)
    if with_lr:
        parts.append(Text(f"lr {row['lr']:.3g}", style="dim"))
    if rate:
        parts.append(Text(f"{row['samples_per_second']:,.0f}{rate}", style="dim"))
    return Text("  ").join(parts)


def _accuracies(row: Mapping[str, float], split: str) -> list[tuple[str, float]]:
    """The accuracy of each head by its name and a space; without heads, by an empty name."""
    named = {
        owner: row[name]
        for name, owner, metric in _metrics(row, split)
        if isinstance(metric, Accuracy)
    }
    heads = [(f"{head.replace('_', ' ')} ", share) for head, share in named.items() if head]
    return heads or list(named.items())


def _watched(row: Mapping[str, float], split: str) -> list[tuple[str, str]]:
    """Name and value of watched metrics other than loss and accuracy; for heads, their mean."""
    return [
        (metric.label, metric.show(row[name]))
        for name, owner, metric in _metrics(row, split)
        if not owner and not metric.is_always_followed
    ]


def _metrics(row: Mapping[str, float], split: str) -> Iterator[tuple[str, str, Number]]:
    """The key of each metric of a split, its head, if any, and the metric."""
    for name in row:
        owner, metric = parted(name.removeprefix(f"{split}_"))
        if metric and name.startswith(f"{split}_"):
            yield name, owner, metric


def print_header(console: Console, run: Run, splits: Splits, start: TrainingStart) -> None:
    """Print the experiment, its data and device, and the run folder."""
    train = run.experiment.train
    parameters = sum(p.numel() for p in run.network.parameters())
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    counts = ", ".join(f"{len(part):,} {name}" for name, part in parts.items() if len(part))
    counts += "" if len(splits.test) else ", no test split"
    compiled = ", compiled" if train.compile else ""
    split = f", micro-batches of {train.micro_batch_size:,}" if train.micro_batch_size else ""
    lines = [
        f"{run.experiment.name}: {parameters:,} parameters, "
        f"{describe_device(run.device)}, {train.precision}, {train.memory_format}{compiled}{split}",
        f"{run.experiment.data.kind}: {counts}",
        *(run.distilling.teaching.plan.describe(run.experiment) if run.distilling else ()),
        f"run folder: {start.folder.path}",
    ]
    if start.checkpoint is not None:
        lines.append(f"resuming after {_position(run)}")
    if run.counters.stopped_early:
        lines.append("already stopped early; nothing to do")
    elif run.is_finished:
        lines.append("already finished; increase train.epochs to train longer")
    if start.inexact:
        lines.append(f"not bit-identical to an uninterrupted run; changed: {start.inexact}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def print_result(
    console: Console, result: TrainingResult, folder: RunFolder, *, data: Path | None
) -> None:
    """Print how training ended, where the result is, and what to run next.

    data: the dataset directory, if given on the command line.
    """
    print_outcome(console, result, folder)
    plugins = result.run.experiment.plugins
    more = [word for plugin in plugins for word in ("--plugin", plugin)]
    more += ["--data", str(data)] if data else []
    if result.is_finished:
        command = "diagnose" if result.remarks else "eval"
        line = f"next: {shlex.join(['cnnctl', command, str(folder.path), *more])}"
    else:
        command = shlex.join(["cnnctl", "train", "--resume", str(folder.path), *more])
        line = f"resume with: {command}"
    console.print(line, soft_wrap=True, markup=False)


def print_outcome(console: Console, result: TrainingResult, folder: RunFolder) -> None:
    """Print how training ended, and where the result is."""
    run, lines = result.run, list[str]()
    if run.counters.stopped_early:
        lines.append(f"stopped early after epoch {run.counters.epoch}")
    if run.counters.best is not None:
        lines.append(_kept(run, run.counters.best))
    if result.test is not None:
        test = (f"{label_of(name)} {show_metric(name, v)}" for name, v in result.test.items())
        lines.append(f"test: {', '.join(test)}")
    lines += result.remarks
    if result.is_finished:
        lines.append(f"checkpoint: {folder.best}")
    else:
        lines.append(f"stopped after {_position(run)}; saved {folder.last}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _kept(run: Run, score: float) -> str:
    """A line with the epoch whose weights are kept, and the reason."""
    monitor, epoch = run.experiment.train.monitor, run.counters.best_epoch
    shown = f"{label_of(monitor)} {show_metric(monitor, score)}"
    if run.experiment.data.has_validation:
        return f"best epoch {epoch}: validation {shown}"
    return f"no validation split; kept the last epoch, {epoch}: training {shown}"


def _position(run: Run) -> str:
    counters = run.counters
    if not counters.batch:
        return f"epoch {counters.epoch}"
    return f"step {counters.step}, in epoch {counters.epoch + 1}"
