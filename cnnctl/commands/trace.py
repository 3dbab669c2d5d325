"""`cnnctl trace`: work one sample through a network, as a textbook does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl import completion
from cnnctl.commands import DataFolder, Plugins, Source, SplitOption, command, say
from cnnctl.errors import Fault, FaultError
from cnnctl.paths import is_there

if TYPE_CHECKING:
    from cnnctl.subject import Chosen, Subject


class Mode(StrEnum):
    """The mode of the network."""

    TRAINING = "training"
    EVALUATION = "evaluation"


@command("trace")
def trace(
    source: Source,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="A file with the sample, and options to override, such as optimizer.lr=0.5.",
            metavar="[FILE] [PATH=VALUE]...",
            show_default=False,
            autocompletion=completion.override,
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option(help="Position of the sample in the split, from 0.", min=0)
    ] = 0,
    split: Annotated[
        SplitOption | None,
        typer.Option(help="Split of the sample (default: train).", show_default=False),
    ] = None,
    numbers: Annotated[
        str | None,
        typer.Option(
            "--input", help='The sample as numbers, "1,2,3".', metavar="NUMBERS", show_default=False
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(help="A file with the sample.", metavar="FILE", show_default=False),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Its target, for --input and files: a class, or numbers.",
            metavar="TARGET",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps to take.", min=1, max=1000, metavar="K")] = 1,
    mode: Annotated[
        Mode, typer.Option(help="Whether dropout draws and batch norm measures.")
    ] = Mode.TRAINING,
    unit: Annotated[
        str,
        typer.Option(
            help="One output term by term: linear1.0, or a layer with --at.",
            metavar="LAYER[.N]",
            show_default=False,
        ),
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            help="Position of that output: channel,row,column.",
            metavar="POSITION",
            show_default=False,
        ),
    ] = "",
    digits: Annotated[int, typer.Option(help="Digits after the point.", min=1, max=9)] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown with formulas.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write to this file instead.", metavar="FILE", show_default=False
        ),
    ] = None,
    plugin: Plugins = None,
    data: DataFolder = None,
) -> None:
    """Work one sample through a network: forward, loss, backward and update, in numbers."""
    from cnnctl.escaping import to_json
    from cnnctl.storage import write_atomically
    from cnnctl.subject import open_subject
    from cnnctl.tracing.gather import Request, gather
    from cnnctl.tracing.markdown import to_markdown
    from cnnctl.tracing.plain import to_plain
    from cnnctl.tracing.text import render

    if as_json and markdown:
        message = "--json and --markdown are mutually exclusive"
        raise FaultError(Fault(message=message, hint="omit one of them"))
    place = _place(at)
    config, overrides, file = _sorted_out(source, words or [], file)
    subject = open_subject(config, overrides, device="cpu", plugins=plugin or (), data_root=data)
    chosen = _chosen(subject, sample, split, numbers, file, target)
    found = gather(subject, chosen, Request(steps, mode.value, unit, place))
    if as_json:
        text = to_json(to_plain(found))
    else:
        text = to_markdown(found, digits=digits) if markdown else render(found, digits=digits)
    if output is None:
        say(text)
    else:
        write_atomically(output, f"{text}\n".encode(errors="backslashreplace"), option="-o")
        say(str(output))


def _place(at: str) -> tuple[int, ...]:
    """`0,2,3` as numbers."""
    words = [word.strip() for word in at.split(",")] if at else []
    if not all(word.isdecimal() for word in words):
        message = f"--at {at}: a position consists of whole numbers, from 0"
        raise FaultError(
            Fault(message=message, hint="write --at channel,row,column, as --at 0,2,3")
        )
    return tuple(map(int, words))


def _sorted_out(
    source: Path, words: list[str], file: str | None
) -> tuple[Path, list[str], str | None]:
    """The source, the overrides and the file of the sample, in any order."""
    given = [word for word in [str(source), *words] if "=" not in word or is_there(Path(word))]
    overrides = [word for word in [str(source), *words] if word not in given]
    if not given:
        message, hint = "no config file given", "try cnnctl trace textbook-3-4-2"
        raise FaultError(Fault(message=message, hint=hint))
    config, *files = given
    files += [file] if file else []
    if len(files) > 1:
        message = f"expected one sample, but got {len(files)} files: {', '.join(files)}"
        raise FaultError(Fault(message=message, hint="trace one at a time"))
    return Path(config), overrides, next(iter(files), None)


def _chosen(
    subject: Subject,
    sample: int,
    split: SplitOption | None,
    numbers: str | None,
    file: str | None,
    target: str | None,
) -> Chosen:
    from cnnctl.tracing.sample import from_file, from_split, with_target

    if numbers is not None and file is not None:
        message = "--input and a file are two samples"
        raise FaultError(Fault(message=message, hint="omit one of them"))
    if numbers is not None:
        found = subject.numbers(numbers)
    elif file is not None:
        found = from_file(subject, file)
    else:
        found = from_split(subject, sample, split.value if split else None)
    return found if target is None else with_target(subject, found, target)
