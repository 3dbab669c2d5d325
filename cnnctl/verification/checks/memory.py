"""Whether training fits in memory."""

from __future__ import annotations

from dataclasses import asdict

from cnnctl.errors import ExitCode
from cnnctl.inspection.columns import bytes_of
from cnnctl.verification.facts import Computed, Facts, Measured, Memory
from cnnctl.verification.finding import Check, Finding, Verdict

NARROW = 0.8
"""Share of the available memory from which to warn, if the need was measured, which was right to
within a tenth."""
NARROW_COMPUTED = 0.4
"""The same if it was only computed: runs on a CPU were seen to use 1.9 times as much and more."""


class EnoughMemory(Check):
    """What the same steps took here, or else the sizes of tensors, against what is free now."""

    name = "memory"
    source = (
        "the peak of this process while it read the data, took steps, evaluated and made "
        "checkpoints, or of CUDA's allocator; where that cannot be measured, and before data is "
        "read that would not fit, sizes of tensors as in `cnnctl summary`; free memory as the "
        "system or CUDA gives it"
    )
    path = ("data", "batch_size")
    exit_code = ExitCode.USAGE

    def find(self, facts: Facts) -> Finding:
        memory = facts.memory
        numbers = {**asdict(memory), "total": memory.total}
        needed, parts, hint = _described(memory)
        if memory.available is None:
            return Finding(figure=f"{needed} on {memory.device}, {parts}", numbers=numbers)
        figure = f"{needed} of {bytes_of(memory.available)} free on {memory.device}, {parts}"
        if not memory.fits:
            message = f"training would not fit: it needs {figure}"
            return Finding(figure=message, verdict=Verdict.ERROR, hint=hint, numbers=numbers)
        share = NARROW if memory.measured else NARROW_COMPUTED
        is_narrow = memory.total > share * memory.available
        return Finding(
            figure=figure,
            verdict=Verdict.WARNING if is_narrow else Verdict.FINE,
            hint=hint if is_narrow else "",
            numbers=numbers,
        )


def _described(memory: Memory) -> tuple[str, str, str]:
    """How much is needed, what it is made of, and how to need less."""
    needed = bytes_of(memory.total)
    if memory.measured:
        return needed, _measured(memory.measured), _hint(_for_data(memory.measured), memory)
    return f"at least {needed}", _computed(memory.computed), _hint(memory.computed.data, memory)


def _for_data(measured: Measured) -> int:
    return max(measured.reading - measured.training, measured.data)


def _hint(for_data: int, memory: Memory) -> str:
    rest = memory.total - (memory.measured.process if memory.measured else 0)
    if 2 * for_data > rest:
        return "use smaller or fewer samples, or keep them mapped where there is data.rows"
    return "use a smaller data.batch_size, smaller samples or a smaller network"


def _computed(computed: Computed) -> str:
    """`computed: data 1 MB, …`."""
    return (
        f"computed: data {bytes_of(computed.data)}, weights and optimizer "
        f"{bytes_of(computed.network)}, activations {bytes_of(computed.activations)}"
    )


def _measured(measured: Measured) -> str:
    """`measured: process 680 MB, …`."""
    process = f"process {bytes_of(measured.process)}, " if measured.process else ""
    if measured.reading > measured.data + measured.training:
        parts = f"reading the data {bytes_of(measured.reading)}"
    else:
        parts = f"data {bytes_of(measured.data)}, training {bytes_of(measured.training)}"
    mapped = f"; besides, {bytes_of(measured.mapped)} of mapped data" if measured.mapped else ""
    return f"measured: {process}{parts}{mapped}"
