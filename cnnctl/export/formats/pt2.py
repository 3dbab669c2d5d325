"""`.pt2`: a graph of torch.export, which torch alone loads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnctl.export.checking import compared
from cnnctl.export.facts import facts_of
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.layers import cannot_hold
from cnnctl.export.original import Original
from cnnctl.export.whole import UNKNOWN, example, whole


class Pt2(Format):
    """The whole network as a torch.export program, for any number of samples."""

    name = "pt2"
    suffix = ".pt2"
    about = "Graph with preprocessing, loaded by torch.export.load(FILE).module()."
    options = frozenset({"raw"})

    def misfit(self, original: Original, wishes: Wishes) -> str:
        return UNKNOWN if original.preprocessing is None and not wishes.raw else ""

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        module, inputs = whole(original, raw=wishes.raw), example(original, raw=wishes.raw)
        try:
            program = _program(module, inputs)
        except Exception as error:  # torch.export has no exception for this
            raise cannot_hold(
                self.suffix, error, original, _program, hint="use .py or .safetensors"
            ) from error
        facts = facts_of(original, raw=wishes.raw)
        stream = BytesIO()
        torch.export.save(
            program, stream, extra_files={f"{name}.json": text for name, text in facts.items()}
        )
        return {file.name: stream.getvalue()}

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Load the program and call it."""
        import torch

        module = torch.export.load(file).module()
        return {name: module(batch) for name, batch in batches.items()}

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        return compared(self, original, wishes, file, run, raw=wishes.raw)


def _program(module: nn.Module, input: Tensor) -> torch.export.ExportedProgram:
    """The program of a module in evaluation mode, for batches of any size."""
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(module.eval(), (input,), dynamic_shapes=({0: batch},))
