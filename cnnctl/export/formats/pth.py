"""`.pth`: the weights by torchvision's names, for the network of torchvision that it equals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import torch

from cnnctl.errors import config_fault
from cnnctl.export.checking import compared, output_names
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.original import Original
from cnnctl.export.twins import Twin, find_twin


class Pth(Format):
    """A state dict that torchvision's own network of this name loads."""

    name = "pth"
    suffix = ".pth"
    about = "State dict of the network's twin in torchvision, for load_state_dict."

    def misfit(self, original: Original, wishes: Wishes) -> str:
        found = find_twin(original)
        return found if isinstance(found, str) else ""

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        stream = BytesIO()
        torch.save(_twin(original).tensors, stream)  # a pickle, of which weights_only reads all
        return {file.name: stream.getvalue()}

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Build torchvision's network with the options beside the file, and load the weights."""
        import json
        from pathlib import Path

        import torch
        from torchvision import models

        network = models.get_model(weights=None, **json.loads(Path(f"{file}.json").read_text()))
        network.eval().load_state_dict(torch.load(file, weights_only=True))
        with torch.no_grad():
            return {name: {"outputs": network(batch)} for name, batch in batches.items()}

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        [name] = output_names(original, raw=True)
        options = Path(f"{file}.json")
        options.write_text(json.dumps(_twin(original).options), encoding="utf-8")

        def renamed(format: Format, file: Path, batches: Batches) -> Results:
            found = run(format, file, batches)
            return {batch: {name: results["outputs"]} for batch, results in found.items()}

        return compared(self, original, wishes, file, renamed, raw=True)


def _twin(original: Original) -> Twin:
    found = find_twin(original)
    if isinstance(found, str):
        raise config_fault(f".pth cannot hold it: {found}", hint="use .safetensors")
    return found
