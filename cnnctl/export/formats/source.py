"""`.py`: plain PyTorch source of the network, with its weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from cnnctl.export.checking import batches_of, checked, largest_difference
from cnnctl.export.facts import facts_of
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.original import Original
from cnnctl.export.source.whole import has_preprocessing, source_of
from cnnctl.sealing import seal


class Source(Format):
    """Classes of nn.Module, as one would write them by hand, and a .safetensors file."""

    name = "source"
    suffix = ".py"
    about = "PyTorch source as written by hand, with the weights in a .safetensors file beside it."

    def names(self, file: Path, wishes: Wishes) -> tuple[str, ...]:
        return file.name, file.with_suffix(".safetensors").name

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        source, weights = self.names(file, wishes)
        text = source_of(original, weights=weights)
        tensors = seal(original.network.state_dict(), facts_of(original, raw=True))
        return {source: text.encode(), weights: b"".join(tensors)}

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Import the source, load the weights into its last class, and call that."""
        from importlib.util import module_from_spec, spec_from_file_location
        from pathlib import Path

        import torch
        from safetensors.torch import load_file

        spec = spec_from_file_location("exported_network", file)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        own = [each for each in vars(module).values() if isinstance(each, type)]
        network = [each for each in own if each.__module__ == module.__name__][-1]().eval()
        network.load_state_dict(load_file(Path(file).with_suffix(".safetensors")))
        prepare = getattr(module, "preprocess", lambda batch: batch)
        with torch.no_grad():
            found = {name: network(prepare(batch)) for name, batch in batches.items()}
        return {
            name: {"outputs": torch.cat(list(outputs.values()), 1)}
            if isinstance(outputs, dict)
            else {"outputs": outputs}
            for name, outputs in found.items()
        }

    @torch.no_grad()
    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        raw = not has_preprocessing(original)
        batches = batches_of(original, raw=raw)
        expected = {
            name: {"outputs": original.network(batch if raw else original.inputs(batch))}
            for name, batch in batches.items()
        }
        difference = largest_difference(expected, run(self, file, batches))
        return checked(difference, original, wishes, batches)
