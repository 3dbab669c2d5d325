"""Whether training fits in memory."""

from __future__ import annotations

from dataclasses import asdict

from cnnctl.errors import ExitCode
from cnnctl.inspection.columns import bytes_of
from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict

NARROW = 0.5
"""Share of the available memory from which to warn: with the buffers of operators, runs
on a CPU were seen to use up to 1.9 times the estimate."""


class EnoughMemory(Check):
    """Samples, weights, gradients, optimizer and activations, against what is free now."""

    name = "memory"
    source = "sizes of tensors, as in `cnnctl summary`; free memory as the system or CUDA gives it"
    path = ("data", "batch_size")
    exit_code = ExitCode.USAGE

    def find(self, facts: Facts) -> Finding:
        memory = facts.memory
        parts = (
            f"data {bytes_of(memory.data)}, weights and optimizer {bytes_of(memory.network)}, "
            f"activations {bytes_of(memory.activations)}"
        )
        numbers = {**asdict(memory), "total": memory.total}
        needed, device = bytes_of(memory.total), memory.device
        if memory.available is None:
            return Finding(figure=f"{needed} on {device}: {parts}", numbers=numbers)
        free = bytes_of(memory.available)
        figure = f"{needed} of {free} free on {device}: {parts}"
        hint = (
            "use a smaller data.batch_size, smaller samples or a smaller network"
            if memory.activations > memory.data
            else "use smaller or fewer samples, or keep them mapped where there is data.rows"
        )
        if not memory.fits:
            message = f"training would not fit: it needs {figure}"
            return Finding(figure=message, verdict=Verdict.ERROR, hint=hint, numbers=numbers)
        is_narrow = memory.total > NARROW * memory.available
        return Finding(
            figure=figure,
            verdict=Verdict.WARNING if is_narrow else Verdict.FINE,
            hint=hint if is_narrow else "",
            numbers=numbers,
        )
