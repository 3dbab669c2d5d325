"""The outputs of layers by name, as a network computes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from cnnctl.config.wording import show
from cnnctl.errors import closest, config_fault, did_you_mean
from cnnctl.model.inference import rehearsing
from cnnctl.model.layer import Shape
from cnnctl.model.passes import is_repeated

MOST_NAMED = 12
"""Layers that a hint names."""


class Taps:
    """Notes what some layers of a network output.

    What follows a layer gets a copy: an in-place activation would otherwise change what is noted.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.noted: dict[str, Tensor] = {}
        for name in self.names:
            layer = network.get_submodule(name)
            layer.register_forward_hook(partial(self._note, name))

    def _note(self, name: str, _: nn.Module, __: object, output: object) -> object:
        if not isinstance(output, Tensor):
            return output
        if not is_repeated():
            self.noted[name] = output
        return output.clone()

    def take(self) -> dict[str, Tensor]:
        """The outputs of the last pass in float32, by the name of their layer; they are dropped."""
        found = {name: output.float() for name, output in self.noted.items()}
        self.noted = {}
        return found


def check_layer(network: nn.Module, name: str, *, option: str, of: str) -> None:
    """Check that a network has a layer of this name.

    Raises:
        FaultError: it has not; the path is the option.
    """
    known: dict[str, nn.Module] = dict(network.named_modules())
    del known[""]
    if name not in known:
        direct = list(dict(network.named_children()))
        some = ", ".join(direct[:MOST_NAMED]) + (", …" if len(direct) > MOST_NAMED else "")
        hint = did_you_mean(closest(name, known)) or f"its layers: {some}"
        raise config_fault(f"{of} has no layer named {show(name)}", hint=hint, path=(option,))


def output_shapes(network: nn.Module, input: Shape, names: Sequence[str]) -> dict[str, Shape]:
    """The shape of what these layers output for one sample, if it is one tensor.

    The network is a new one on the meta device, which is changed.
    """
    taps = Taps(rehearsing(network), names)
    with torch.no_grad():
        network.eval()(torch.empty(2, *input, device="meta"))
    return {name: tuple(output.shape[1:]) for name, output in taps.noted.items()}
