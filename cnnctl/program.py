"""Usage errors of the command line: the fault, and what to type instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from cnnctl.errors import ExitCode, Fault, closest, did_you_mean
from cnnctl.paths import is_folder
from cnnctl.shipped import is_shipped
from cnnctl.vocabulary import YAML, families, options, paths_of

_UsageError: Any = typer.BadParameter.__mro__[1]
"""typer's own, or click's in older versions of typer."""
OVERRIDABLE = ("train", "summary", "bench")
"""Commands that take overrides."""


class Program(TyperGroup):
    """All commands; usage errors are faults with a hint, as everywhere."""

    def main(
        self,
        args: Sequence[str] | None = None,
        *more: Any,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command, and exit with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(words, standalone_mode=False, **extra)
        except _UsageError as error:
            code = _refuse(error, words)
        except typer.Abort:
            code = ExitCode.INTERRUPTED
        if standalone_mode:
            sys.exit(code or 0)
        return code


def _refuse(error: Any, words: Sequence[str]) -> ExitCode:
    if type(error).__name__ == "NoArgsIsHelpError":  # which has printed the help already
        print(error.format_message(), end="", file=sys.stderr)
        return ExitCode.USAGE
    path = error.ctx.command_path if error.ctx else f"cnnctl {words[0]}"
    cures = [*_cures(error, words), f"see `{path} --help`"]
    print(Fault(place=path, message=_message(error), hint=cures[0]), file=sys.stderr)
    return ExitCode.USAGE


def _message(error: Any) -> str:
    """typer's message without its suggestions; ours cover more words."""
    message: str = error.format_message().replace("Value error, ", "")
    for suggestion in (" Did you mean", " (Possible"):
        message = message.partition(suggestion)[0]
    return message.rstrip(".")


def _cures(error: Any, words: Sequence[str]) -> Iterator[str]:
    """Suggestions of what to type instead, the most likely first."""
    command = error.ctx.info_name if error.ctx else ""
    if _message(error).endswith("is not readable"):
        yield "check its permissions"
    if option := getattr(error, "option_name", ""):
        if error.ctx:  # otherwise the option is known, but has no value
            yield from _for_option(error, option, command, words)
    elif error.ctx and isinstance(error.ctx.command, Program):
        yield from _for_command(error.ctx, words)


def _for_option(error: Any, option: str, command: str, words: Sequence[str]) -> Iterator[str]:
    """Suggestions for an option: an experiment option is an override; others may be misspelt."""
    name = option.lstrip("-").partition("=")[0]
    paths = paths_of(name)
    if paths and command in OVERRIDABLE:
        value = _value_of(option, words)
        yield f"write {' or '.join(f'{path}={value}' for path in paths)}, without dashes"
    elif paths:
        yield f"{' or '.join(paths)} is an experiment option: set it in the YAML file"
    known = [name for parameter in error.ctx.command.params for name in parameter.opts]
    if close := closest(option, [name for name in known if name.startswith("--")]):
        yield did_you_mean(close)
    if command in OVERRIDABLE:
        value = _value_of(option, words)
        words_near = closest(name.replace("-", "_"), _last_steps())
        near = [path for word in words_near for path in paths_of(word)]
        if near:
            yield f"write {' or '.join(f'{path}={value}' for path in near)}, without dashes"


def _last_steps() -> list[str]:
    return [*dict.fromkeys(path.rpartition(".")[2] for path in options())]


def _value_of(option: str, words: Sequence[str]) -> str:
    """The value of an option, as in `--lr 0.1` or `--lr=0.1`; `…` if there is none."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and after and not after.startswith("-"):
            return after
    return "…"


def _for_command(context: Any, words: Sequence[str]) -> Iterator[str]:
    """Suggestions for an unknown command: a similar one, or one that takes the word."""
    word = next((word for word in words if not word.startswith("-")), "")
    if close := closest(word, context.command.commands):
        yield did_you_mean(close)
    if Path(word).suffix in YAML or is_shipped(Path(word)):
        yield f"write cnnctl train {word}"
    elif is_folder(Path(word)):
        yield f"write cnnctl eval {word}, or cnnctl train --resume {word}"
    elif word in families()["zoo"]:
        yield f"write cnnctl summary {word} or cnnctl show {word}"
    elif word in families():
        yield f"write cnnctl list {word}"
    yield f"commands: {', '.join(context.command.commands)}"
