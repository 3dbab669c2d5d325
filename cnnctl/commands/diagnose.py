"""`cnnctl diagnose`: say why a network learns badly, or would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl import completion
from cnnctl.commands import (
    AsJson,
    DataFolder,
    Device,
    Plugins,
    Source,
    SplitOption,
    command,
    display,
    print_json,
    say,
)
from cnnctl.errors import Fault, FaultError

if TYPE_CHECKING:
    from cnnctl.data.preparation import SplitName
    from cnnctl.diagnosis.wrong_labels import Answers


@command("diagnose")
def diagnose(
    source: Source,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Options to override, such as optimizer.lr=0.01; only without a checkpoint.",
            metavar="PATH=VALUE",
            show_default=False,
            autocompletion=completion.override,
        ),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="Find labels that are likely wrong, and nothing else."),
    ] = False,
    split: Annotated[
        SplitOption | None,
        typer.Option(
            help="With --labels, the split (default: test; without one, validation, then train).",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="With --labels, train so many networks on parts of the training split, each to "
            "judge the labels of the rest.",
            min=2,
            max=100,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="With --labels, draw the samples to this PNG file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Find out why a network learns badly: from its run, or before training."""
    from cnnctl import diagnosis
    from cnnctl.advice import placed_advice

    _check_options(labels, split, folds, output)
    if labels:
        name: SplitName | None = split.value if split else None
        answers = (
            _cross_validated(source, overrides or (), folds, device, plugin or (), data)
            if folds
            else _answered(source, overrides or (), name, device, plugin or (), data)
        )
        _show_wrong_labels(answers, output, as_json=as_json)
        return
    case = diagnosis.open_case(
        source, overrides or (), device=device, plugins=plugin or (), data_root=data
    )
    advice = [] if case.is_trained else placed_advice(case.loaded)
    if not as_json:
        for each in advice:
            say(str(each))
    facts = diagnosis.gather(case)
    findings = diagnosis.judged(facts)
    if as_json:
        plain = {"source": str(source), "advice": [each.to_json() for each in advice]}
        print_json(plain | diagnosis.to_json(facts, findings))
    else:
        display(diagnosis.render(str(source), facts, findings))


def _check_options(
    labels: bool, split: SplitOption | None, folds: int | None, output: Path | None
) -> None:
    """Raise a FaultError for options that do not go together."""
    given = [n for n, v in {"--split": split, "--folds": folds, "-o": output}.items() if v]
    if given and not labels:
        raise FaultError(Fault(message=f"{given[0]} needs --labels", hint="add --labels"))
    if output is not None and output.suffix.lower() != ".png":
        message = f"cannot draw to {output.name}: unknown format"
        raise FaultError(Fault(message=message, hint="use a file name ending in .png"))
    if folds and split not in (None, SplitOption.TRAIN):
        message = f"--folds is for the training split, not for {split}"
        raise FaultError(Fault(message=message, hint="leave out one of the two"))


def _answered(
    source: Path,
    overrides: Sequence[str],
    split: SplitName | None,
    device: str,
    plugins: Sequence[Path],
    data: Path | None,
) -> Answers:
    """What the network says of a split."""
    from cnnctl.diagnosis.wrong_labels import answers_of, check_package
    from cnnctl.subject import open_subject

    check_package()
    subject = open_subject(source, overrides, device=device, plugins=plugins, data_root=data)
    return answers_of(subject, split)


def _cross_validated(
    source: Path,
    overrides: Sequence[str],
    folds: int,
    device: str,
    plugins: Sequence[Path],
    data: Path | None,
) -> Answers:
    """What networks that are trained on parts of the training split say of the rest."""
    from cnnctl.console import advancing
    from cnnctl.diagnosis import open_case
    from cnnctl.diagnosis.folds import cross_validated
    from cnnctl.diagnosis.wrong_labels import check_package
    from cnnctl.distillation.plan import without_teachers
    from cnnctl.training.setup import set_up

    check_package()
    case = open_case(source, overrides, device=device, plugins=plugins, data_root=data)
    setup = set_up(without_teachers(case.loaded), data_root=case.data_root)
    with advancing(folds * setup.experiment.train.epochs, "training") as advance:
        return cross_validated(setup, folds, advance=advance)


def _show_wrong_labels(answers: Answers, output: Path | None, *, as_json: bool) -> None:
    from cnnctl.diagnosis.wrong_label_report import draw, render, to_json
    from cnnctl.diagnosis.wrong_labels import wrong_labels
    from cnnctl.drawing.naming import Naming
    from cnnctl.storage import write_atomically

    found, naming = wrong_labels(answers), Naming()
    if output is not None:
        write_atomically(output, draw(answers, found, naming), option="-o")
    if as_json:
        print_json(to_json(answers, found))
        return
    display(render(answers, found))
    if output is not None:
        say(str(output))
        if naming.legend:
            say(f"class names that the sheet's font lacks: {naming.described()}")
