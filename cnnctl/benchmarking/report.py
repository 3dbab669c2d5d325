"""A benchmark as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.benchmarking.facts import PARTS, Benchmark, Failure, Speed
from cnnctl.escaping import visible
from cnnctl.inspection.columns import NONE, bytes_of
from cnnctl.inspection.grid import Grid, Heading

FORMAT = 1
"""Version of the JSON; incremented when a key is removed or changes its meaning."""
WIDE_SPREAD = 0.2
"""The spread of the rounds from which the figures are called uncertain."""


def render(found: Benchmark) -> RenderableType:
    """A row for each batch size, where the time goes, and what the machine could do."""
    speeds = [each for each in found.speeds if isinstance(each, Speed)]
    head = (
        f"{found.name}: {found.parameters:,} parameters, {found.samples:,} samples, {found.device}"
    )
    below = [*_start(found), *_limit_lines(found, speeds), *_load_lines(found, speeds)]
    kinds = [part for speed in speeds[-1:] for part in _kind_table(speed)]
    return Group(Text(visible(head)), _speed_table(found), *kinds, Text(), *map(Text, below))


def _speed_table(found: Benchmark) -> Grid:
    headings = ["batch\nsize", "samples\na second", "spread", "step", *PARTS]
    headings += ["peak\nmemory", "multiply-\nadds/s", "of the\nlimit"]
    rows = [_row(each, len(headings)) for each in found.speeds]
    return Grid([Heading(text) for text in headings], rows)


def _kind_table(speed: Speed) -> Iterator[RenderableType]:
    """The kinds of layers, for one batch size."""
    if not speed.kinds:
        return
    headings = [Heading("layers", is_number=False), Heading("time"), Heading("share")]
    headings += [Heading("at the\nlimits"), Heading("of the\nlimit")]
    rows = [
        [
            each.kind,
            duration(each.seconds),
            f"{each.share:.0%}",
            duration(each.limit) if each.limit else NONE,
            f"{each.limit / each.seconds:.0%}" if each.limit and each.seconds else NONE,
        ]
        for each in speed.kinds
    ]
    yield Text(f"\na step of {speed.batch_size:,} samples, profiled:")
    yield Grid(headings, rows)


def _row(speed: Speed | Failure, width: int) -> list[str]:
    if isinstance(speed, Failure):
        return [f"{speed.batch_size:,}", "out of memory", *[NONE] * (width - 2)]
    return [
        f"{speed.batch_size:,}",
        f"{speed.samples_per_second:,.0f}",
        f"{speed.spread:.0%}",
        duration(speed.step),
        *_shares(speed),
        NONE if speed.peak_memory is None else bytes_of(speed.peak_memory),
        per_second(speed.multiply_adds_per_second),
        f"{speed.share_of_limit:.0%}",
    ]


def _shares(speed: Speed) -> Iterator[str]:
    """The share of each part in the time of a step."""
    whole = sum(speed.parts.values())
    for part in PARTS:
        yield f"{speed.parts[part] / whole:.0%}" if speed.parts[part] else NONE


def _start(found: Benchmark) -> Iterator[str]:
    start = found.start
    yield (
        f"first step after {start.total:.1f} s: imports {start.imports:.1f} s, data "
        f"{start.data:.1f} s, network {start.network:.1f} s, step {start.first_step:.1f} s"
    )


def _limit_lines(found: Benchmark, speeds: list[Speed]) -> Iterator[str]:
    """What was measured of the machine, in each precision."""
    for speed in {each.precision: each for each in speeds}.values():
        compiled = ", compiled" if speed.is_compiled else ""
        limits = speed.limits
        yield f"{speed.precision}, {speed.memory_format}{compiled}; measured limits of the machine:"
        yield (
            f"    matrix products {per_second(limits.matrix_product)} and convolutions "
            f"{per_second(limits.convolution)} multiply-adds/s, bandwidth "
            f"{per_second(limits.bandwidth)}B/s"
        )
    if not found.is_counted:
        yield "note: some layers are not counted, so the network computes more than is shown"


def _load_lines(found: Benchmark, speeds: list[Speed]) -> Iterator[str]:
    load = found.load
    if load.others is not None and load.is_disturbing:
        yield (
            f"warning: other programs used {load.others:.1f} of {load.cores} cores meanwhile, so "
            "figures are lower than on an idle machine"
        )
    elif any(each.spread > WIDE_SPREAD for each in speeds):
        yield "warning: the rounds differ much; measure longer, with --seconds 30"


def duration(seconds: float) -> str:
    """A short time in a suitable unit, with three digits."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def per_second(count: float) -> str:
    """A large number with three digits and its prefix, like `12.3 G`."""
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            return f"{count / factor:.3g} {prefix}"
    return f"{count:.3g} "


def to_json(found: Benchmark) -> dict[str, Any]:
    """The same as plain data, with the environment."""
    return {
        "format": FORMAT,
        "name": found.name,
        "parameters": found.parameters,
        "samples": found.samples,
        "device": found.device,
        "speeds": [each.to_json() for each in found.speeds],
        "start_seconds": {**asdict(found.start), "total": found.start.total},
        "load": asdict(found.load),
        "is_counted": found.is_counted,
        "environment": dict(found.environment),
    }
