"""`cnnctl check`: validate experiments, give advice, and try them on their data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, command, display, print_json, say
from cnnctl.errors import ExitCode, Fault, FaultError
from cnnctl.escaping import visible
from cnnctl.paths import is_folder

if TYPE_CHECKING:
    from cnnctl.experiment import Loaded


@command("check")
def check(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Experiment files, or names listed by `cnnctl list configs`.",
            show_default=False,
            autocompletion=completion.experiment,
        ),
    ],
    data: Annotated[
        bool,
        typer.Option(
            "--data",
            help="Read the whole data, look for copies in two splits, take a few steps, and "
            "estimate memory and time. Nothing is trained.",
        ),
    ] = False,
    schedule: Annotated[
        bool,
        typer.Option("--schedule", help="Draw the learning rate, and list where it changes."),
    ] = False,
    data_root: Annotated[
        Path | None,
        typer.Option(
            "--data-root",
            help="Dataset directory (default: $CNNCTL_DATA or data/).",
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Validate experiment files and give advice on valid but unwise settings."""
    checked = partial(_checked, with_data=data, with_schedule=schedule, is_shown=not as_json)
    results = [checked(path, data_root) for path in files]
    if as_json:
        print_json([result.to_json() for result in results])
    errors = [error for result in results for error in result.errors]
    if errors:
        faults = [_for_check(fault) for error in errors for fault in error.faults]
        code = errors[0].exit_code if data else ExitCode.USAGE
        raise FaultError(*faults, exit_code=code)


@dataclass(slots=True)
class _Result:
    """What was found about a file."""

    file: Path
    errors: list[FaultError] = field(default_factory=list)
    advice: list[Fault] = field(default_factory=list)
    warnings: int = 0
    findings: list[dict[str, Any]] | None = None
    """Those of the data; None if it was not looked at."""
    schedule: dict[str, Any] | None = None
    """The learning rate; None if it was not asked for."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data, with all faults."""
        every = [fault for error in self.errors for fault in error.every]
        return {
            "file": str(self.file),
            "errors": [_for_check(fault).to_json() for fault in every],
            "advice": [advice.to_json() for advice in self.advice],
            "data": self.findings,
            "schedule": self.schedule,
        }


def _for_check(fault: Fault) -> Fault:
    """A hint of other commands in the words of this one, whose --data is no folder."""
    return replace(fault, hint=re.sub(r"\b(with|use) --data\b", r"\1 --data-root", fault.hint))


def _checked(
    path: Path, data_root: Path | None, *, with_data: bool, with_schedule: bool, is_shown: bool
) -> _Result:
    """Check a file, and show the report and the advice."""
    from cnnctl.distillation.plan import with_hashes, would_download_teachers
    from cnnctl.experiment import load, starting_weights
    from cnnctl.model.weights import DEFAULT

    result, loaded = _Result(path), None
    try:
        if with_data:
            _refuse_folder(path)
        loaded = load(path, data_root=data_root)
        if loaded.experiment.model.weights != DEFAULT:  # which would have to be downloaded
            starting_weights(loaded)
        if not would_download_teachers(loaded.experiment):
            loaded = with_hashes(loaded)
        if with_data:
            _try_on_data(result, loaded, data_root, is_shown=is_shown)
    except FaultError as error:
        result.errors.append(error)
    if loaded is not None and (with_data or not result.errors):
        _advise(result, loaded, is_shown=is_shown)
        if with_schedule:
            _schedule(result, loaded, is_shown=is_shown)
    if is_shown and not result.errors:
        found = "1 warning" if result.warnings == 1 else f"{result.warnings:,} warnings"
        say(visible(f"{path}: {found if result.warnings else 'no problems found'}"))
    return result


def _try_on_data(
    result: _Result, loaded: Loaded, data_root: Path | None, *, is_shown: bool
) -> None:
    from cnnctl import verification

    facts = verification.gather(loaded, folder=data_root)
    findings = verification.judged(facts)
    result.findings = verification.to_json(findings)
    if is_shown:
        display(verification.render(str(result.file), facts, findings))
    for check, found in findings.items():
        if found.verdict is verification.Verdict.ERROR:
            try:
                with loaded.places():
                    raise check.error(found)
            except FaultError as error:
                result.errors.append(error)
        result.warnings += found.verdict is verification.Verdict.WARNING


def _advise(result: _Result, loaded: Loaded, *, is_shown: bool) -> None:
    from cnnctl.advice import placed_advice

    result.advice += placed_advice(loaded)
    if is_shown:
        for advice in result.advice:
            say(str(advice))


def _schedule(result: _Result, loaded: Loaded, *, is_shown: bool) -> None:
    from cnnctl.charts import TerminalChart
    from cnnctl.plotting.schedule import chart_of, report, schedule_of

    schedule = schedule_of(loaded)
    result.schedule = schedule.to_json()
    if is_shown:
        display(TerminalChart(chart_of(schedule), rows=8))
        say("\n".join(report(schedule)))


def _refuse_folder(path: Path) -> None:
    """Raise a FaultError for a folder, which other commands take after --data."""
    if is_folder(path):
        hint = "give experiment files; --data-root DIR names the dataset directory"
        raise FaultError(Fault(message="is a folder", hint=hint, place=str(path)))
