"""`.py`: plain PyTorch source of the network, with its weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from cnnctl.export.checking import batches_of, checked, largest_difference
from cnnctl.export.facts import facts_of
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.original import Original
from cnnctl.export.source.whole import has_preprocessing, source_of
from cnnctl.export.training_source.whole import TrainingScript, training_script
from cnnctl.sealing import seal


class Source(Format):
    """Classes of nn.Module, as one would write them by hand, and a .safetensors file."""

    name = "source"
    suffix = ".py"
    about = "PyTorch source as written by hand, with the weights in a .safetensors file beside it."
    options = frozenset({"training"})

    def names(self, file: Path, wishes: Wishes) -> tuple[str, ...]:
        return file.name, file.with_suffix(".safetensors").name

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        source, weights = self.names(file, wishes)
        if wishes.training:
            text = training_script(original)
        else:
            text = source_of(original, weights=weights)
        tensors = seal(original.network.state_dict(), facts_of(original, raw=True))
        return {source: text.encode(), weights: b"".join(tensors)}

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Import the source, load the weights into the network, and call that.

        A script builds it; in a source, it is the last class.
        """
        from importlib.util import module_from_spec, spec_from_file_location
        from pathlib import Path

        import torch
        from safetensors.torch import load_file

        spec = spec_from_file_location("exported_network", file)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        names = vars(module)
        own = [each for each in names.values() if isinstance(each, type)]
        last = [each for each in own if each.__module__ == module.__name__][-1]
        network = names.get("build_network", last)().eval()
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

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        found = self._network(original, wishes, file, run)
        if not wishes.training:
            return found
        step = TrainingScript().check(original, wishes, file, run)
        inputs = f"{found.inputs}, and in {step.inputs}"
        return replace(found, difference=max(found.difference, step.difference), inputs=inputs)

    @torch.no_grad()
    def _network(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        raw = wishes.training or not has_preprocessing(original)
        batches = batches_of(original, raw=raw)
        expected = {
            name: {"outputs": original.network(batch if raw else original.inputs(batch))}
            for name, batch in batches.items()
        }
        difference = largest_difference(expected, run(self, file, batches))
        return checked(difference, original, wishes, batches)
