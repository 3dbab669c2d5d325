"""What a training says about itself: at once where going on is pointless, and at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from cnnctl.diagnosis.checks import judged
from cnnctl.diagnosis.checks.learning import LearnsNothing
from cnnctl.diagnosis.facts import Facts
from cnnctl.diagnosis.gathering import known, samples_of, with_answers, with_history, with_look
from cnnctl.diagnosis.history import History
from cnnctl.diagnosis.hopeless import why_hopeless
from cnnctl.diagnosis.looking import SAMPLES
from cnnctl.diagnosis.stepping import last_step
from cnnctl.diagnosis.yardstick import yardstick_of
from cnnctl.run_files import EpochMetrics, read_metrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.observers import Observer
from cnnctl.training.run import Counters, Run
from cnnctl.training.training import Training
from cnnctl.verification.finding import Verdict

MOST = 3
"""Lines at the end of a training."""
SHARE, SECONDS = 0.01, 0.5
"""Time to look at the network when a training has ended: a share of its own, or so many seconds."""
FEWEST = 32
"""Samples below which a look at the network tells nothing."""


class Commentator(Observer):
    """Says what is wrong with a training, as `diagnose` does, from what it knows anyway."""

    def __init__(self, training: Training, folder: Path, console: Console) -> None:
        self.training = training
        self.folder = folder
        self.console = console
        self.rows: list[EpochMetrics] = []
        self.yardstick = yardstick_of(training.run.tasks, training.batches.train)
        self.said = ""
        """Why going on is pointless; said once."""

    @classmethod
    def of(cls, training: Training, folder: RunFolder, console: Console) -> Commentator:
        """The commentator of a training that is recorded in a run folder."""
        return cls(training, folder.path, console)

    def resumed(self, counters: Counters) -> None:
        """Know the epochs before the run was interrupted."""
        rows = read_metrics(self.folder).rows
        self.rows = [row for row in rows if row["epoch"] <= counters.epoch]

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Say it at once if going on is pointless."""
        self.rows.append(row)
        run = self.training.run
        rate, is_last = run.experiment.optimizer.lr, row["epoch"] >= run.experiment.train.epochs
        if self.said or is_last:
            return
        self.said = why_hopeless(History(self.rows), self.yardstick, rate=rate)
        if self.said:
            line = f"warning: {self.said}; going on is hardly worth it, stop with Ctrl-C"
            self.console.print(line, soft_wrap=True, markup=False, highlight=False)

    def remarks(self, run: Run) -> Sequence[str]:
        """The most important warnings about a run that is finished."""
        if not run.is_finished or not self.rows:
            return [f"warning: {self.said}"] if self.said else []
        facts = self.facts(run)
        if LearnsNothing().find(facts).verdict is Verdict.WARNING:  # otherwise they may be noise
            facts = replace(facts, steps=last_step(run, batch_samples=facts.batch_samples))
        found = [
            f"{finding.figure}; {finding.hint}"
            for finding in judged(facts).values()
            if finding.verdict is Verdict.WARNING
        ]
        return [f"warning: {line}" for line in found[:MOST]]

    def facts(self, run: Run) -> Facts:
        """What is known of the run, and what a short look at its network shows."""
        batches = self.training.batches
        history = History(self.rows, samples_of(batches))
        facts = with_history(known(run, batches, self.yardstick), history)
        samples = self._affordable(history)
        if samples < FEWEST:
            return facts
        facts = with_look(facts, run, batches, samples=samples)
        return with_answers(facts, run, batches, samples=samples)

    def _affordable(self, history: History) -> int:
        """The samples that can be looked at in no noticeable time."""
        speed = float(self.rows[-1].get("samples_per_second", 0.0))
        seconds = max(SECONDS, SHARE * history.seconds(0))
        return min(SAMPLES, int(seconds * speed))
