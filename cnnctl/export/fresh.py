"""Runs an exported file in a fresh process in which this program cannot be imported."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

from safetensors.torch import load, save
from torch import Tensor

from cnnctl.errors import ExitCode, Fault, FaultError
from cnnctl.export.format import Batches, Format, Results
from cnnctl.interruption import forget, undo_at_signal
from cnnctl.storage import storing

_PROGRAM = """\
from __future__ import annotations
import sys
from safetensors.torch import load_file, save_file
from torch import contiguous_format

sys.modules["cnnctl"] = None

class Exported:
{run}

file, inputs, outputs = sys.argv[1:]
found = Exported.run(file, load_file(inputs))
save_file({{
    f"{{batch}}/{{name}}": tensor.detach().clone(memory_format=contiguous_format)
    for batch, results in found.items()
    for name, tensor in results.items()
}}, outputs)
"""


def run(format: Format, file: Path, batches: Batches) -> Results:
    """Run an exported file on batches of inputs, in a Python that has never seen this program.

    Inputs and outputs are files in its folder, which `placing` removes if a signal comes.

    Raises:
        FaultError: it does not run, or the disk is full.
    """
    inputs, outputs = file.with_name(".inputs"), file.with_name(".outputs")
    content = save({name: batch.contiguous() for name, batch in batches.items()})
    try:
        with storing(file.parent, option="FILE"):
            inputs.write_bytes(content)
        _run(format, str(file), str(inputs), str(outputs))
        return _by_batch(load(outputs.read_bytes()))
    finally:
        inputs.unlink(missing_ok=True)
        outputs.unlink(missing_ok=True)


def program_of(format: Format) -> str:
    """The source of the program that runs a file of this format: FILE INPUTS OUTPUTS."""
    source = dedent(inspect.getsource(type(format).run))
    return _PROGRAM.format(run=indent(source, "    "))


def _run(format: Format, *arguments: str) -> None:
    # isolated: neither the current folder, PYTHONPATH nor the user's packages are seen
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", program_of(format), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    undo_at_signal(process.kill)
    try:
        _, complaints = process.communicate()
    finally:
        process.kill()
        process.wait()
        forget(process.kill)
    if process.returncode:
        raise broken(format, complaints)


def broken(format: Format, complaints: str) -> FaultError:
    """The fault for a file that does not run, with the last line of what was said."""
    lines = [line for line in complaints.splitlines() if line.strip()]
    reason = lines[-1] if lines else "the process was killed"
    message = f"the {format.suffix} file does not run without cnnctl: {reason}"
    hint = "nothing was written; export to another format, see `cnnctl list formats`"
    return FaultError(Fault(message=message, hint=hint), exit_code=ExitCode.DIFFERENT)


def _by_batch(flat: dict[str, Tensor]) -> Results:
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        batch, _, name = key.partition("/")
        found.setdefault(batch, {})[name] = tensor
    return found
