"""Exports a network: choose the format, write to a temporary place, check, and keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.errors import ExitCode, Fault, FaultError, config_fault, either, nearest
from cnnctl.export.format import Checked, Format, Run, Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import Original
from cnnctl.export.placing import placing, refuse_existing
from cnnctl.extras import require

TORCHSCRIPT = (".pts", ".pt", ".torchscript")
"""Suffixes of what PyTorch has deprecated."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported, and how it was checked."""

    format: Format
    files: tuple[Path, ...]
    bytes: int
    checked: Checked
    is_trained: bool

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "files": [str(file) for file in self.files],
            "format": self.format.name,
            "bytes": self.bytes,
            "trained": self.is_trained,
            "measure": self.checked.measure,
            "difference": self.checked.difference,
            "tolerance": self.checked.tolerance,
            "checked_with": self.checked.inputs,
            **self.checked.figures,
            "notes": [*self.checked.notes],
        }


def chosen_format(file: Path, name: str = "") -> Format:
    """The format of this name, or else that of the file's suffix.

    Raises:
        FaultError: there is none.
    """
    if name and name not in FORMATS:
        raise config_fault(f"--format: no format is named {name!r}", hint=nearest(name, [*FORMATS]))
    suffix = file.suffix.lower()
    by_suffix = {each.suffix: each for each in FORMATS.values()}
    if not name and suffix not in by_suffix:
        raise _unknown(file, [*by_suffix])
    return FORMATS[name] if name else by_suffix[suffix]


def _unknown(file: Path, suffixes: list[str]) -> FaultError:
    if file.suffix.lower() in TORCHSCRIPT:
        message = f"cannot export to {file.name}: TorchScript is deprecated by PyTorch"
        return config_fault(message, hint=f"use {file.with_suffix('.pt2').name} (torch.export)")
    message = f"cannot export to {file.name}: unknown format"
    return config_fault(message, hint=f"use a file name ending in {either(suffixes)}, or --format")


def check_wishes(format: Format, wishes: Wishes, file: Path, *, force: bool) -> None:
    """Check all that can be known before a network is read.

    Raises:
        FaultError: the format takes no such option, an extra is not installed, or a file exists.
    """
    for option, is_given in wishes.given().items():
        if is_given and option not in format.options:
            takers = [each.suffix for each in FORMATS.values() if option in each.options]
            hint = f"--{option} is for {either(takers)}" if takers else f"omit --{option}"
            raise config_fault(f"{format.suffix} takes no --{option}", hint=hint)
    for package in format.packages:
        require(package, what=f"{format.suffix} files need")
    refuse_existing([file.parent / name for name in format.names(file, wishes)], force=force)


def export(original: Original, file: Path, format: Format, wishes: Wishes, *, run: Run) -> Exported:
    """Export a network, and keep the files if they give what it gives when `run` runs them.

    Raises:
        FaultError: the format cannot hold the network; it cannot be written; or the export does
            not run, or differs by more than the tolerance: then nothing is written (exit code 9).
    """
    if reason := format.misfit(original, wishes):
        message = f"cannot be exported to {format.suffix}: {reason}"
        raise config_fault(message, hint=_others(format, original, wishes))
    contents = format.contents(original, wishes, file)
    with placing(file.parent, contents) as folder:
        checked = format.check(original, wishes, folder / file.name, run)
        if not checked.is_within:
            raise _different(checked, format)
    files = tuple(file.parent / name for name in contents)
    size = sum(map(len, contents.values()))
    return Exported(format, files, size, checked, original.is_trained)


def _others(format: Format, original: Original, wishes: Wishes) -> str:
    """The formats that hold the network with these options, or without any."""
    others = [each for each in FORMATS.values() if each is not format]
    plain = Wishes()
    fitting = [each.suffix for each in others if not each.misfit(original, plain)]
    is_for_raw = "raw" in format.options and not wishes.raw
    with_raw = is_for_raw and not format.misfit(original, Wishes(raw=True))
    return f"use {either([*(['--raw'] if with_raw else []), *fitting])}"


def _different(checked: Checked, format: Format) -> FaultError:
    message = (
        f"the {format.suffix} file differs from the network: {checked.measure} "
        f"{checked.difference:.2g}, more than {checked.tolerance:.2g} ({checked.inputs})"
    )
    message = "; ".join([message, *checked.results])
    hint = "nothing was written; allow more with --tolerance, or use another format"
    return FaultError(Fault(message=message, hint=hint), exit_code=ExitCode.DIFFERENT)
