"""The command `cnnctl`: finds all commands and runs one. Heavy imports happen only then."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from cnnctl import commands
from cnnctl.commands import app
from cnnctl.errors import FaultError, storage_fault
from cnnctl.escaping import OutputError, guard
from cnnctl.paths import is_folder
from cnnctl.shipped import is_shipped
from cnnctl.vocabulary import YAML

READER_LEFT = 141
"""Exit code if the reader of the output is gone: 128 + SIGPIPE."""

# every module of the package is a command, so a new command only needs a new file there
for module in pkgutil.iter_modules(commands.__path__):
    import_module(f"{commands.__name__}.{module.name}")


def main() -> None:
    """Run the command that was typed."""
    guard()
    try:
        try:
            app(spell_out_resume(sys.argv[1:]))
        finally:
            sys.stdout.flush()  # a later failure would end in a traceback and exit code 120
    except OutputError as error:
        fault = unwritable_output(error)
        print(fault, file=sys.stderr)
        sys.exit(fault.exit_code)
    except BrokenPipeError:
        sys.exit(READER_LEFT)
    except SystemExit as leaving:
        # typer and rich report an error if the reader of a pipe exits early, as in `| head`
        if isinstance(leaving.__context__, BrokenPipeError):
            sys.exit(READER_LEFT)
        raise


def unwritable_output(error: OutputError) -> FaultError:
    """The fault for a standard output that cannot be written, such as a file on a full disk."""
    hint = "free some space, or write the output elsewhere"
    return storage_fault(f"cannot be written: {error.strerror}", hint=hint, place="standard output")


def spell_out_resume(arguments: list[str]) -> list[str]:
    """Give a `--resume` without a run an empty value, which means the newest run.

    A run is a folder or a checkpoint, not an option, an override, a YAML file or a shipped
    experiment.
    """
    spelled = []
    for argument, after in pairwise([*arguments, "--"]):
        file = Path(after)
        is_config = file.suffix in YAML or (is_shipped(file) and not is_folder(file))
        is_alone = after.startswith("-") or "=" in after or is_config
        spelled.append("--resume=" if argument == "--resume" and is_alone else argument)
    return spelled
