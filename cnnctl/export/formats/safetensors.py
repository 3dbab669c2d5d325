"""`.safetensors`: the weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cnnctl.export.checking import largest_difference
from cnnctl.export.facts import facts_of
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.original import Original
from cnnctl.sealing import seal

WEIGHTS = "weights"


class Safetensors(Format):
    """Tensors by the names of the state dict, with facts as metadata and a hash of all."""

    name = "safetensors"
    suffix = ".safetensors"
    about = "Weights by their names, for code that builds the network; model.weights reads it too."

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        facts = facts_of(original, raw=True)
        return {file.name: b"".join(seal(original.network.state_dict(), facts))}

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Read the tensors."""
        from safetensors.torch import load_file

        return {"weights": load_file(file)}

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        expected = {WEIGHTS: original.network.state_dict()}
        difference = largest_difference(expected, run(self, file, {}))
        return Checked(difference, 0.0, f"{len(expected[WEIGHTS]):,} tensors")
