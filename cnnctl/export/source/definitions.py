"""Definitions that a network's source needs beside its own classes: helpers, and modules."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.block import PlannedLayer

_LIBRARIES = ("torch", "torchvision")
_IMPORTED = ("torch", "nn", "F", "Tensor", "OrderedDict", "Callable", "Iterable", "Sequence")
"""Names that a copied class can use."""

NAMED = '''\
def named(**layers: nn.Module) -> nn.Sequential:
    """A sequence of layers with names."""
    return nn.Sequential(OrderedDict(layers))
'''

NUMBERED = '''\
def numbered(layers: Iterable[nn.Module], prefix: str = "") -> nn.Sequential:
    """A sequence of layers that are named 1, 2, and so on, after the prefix."""
    return named(**{f"{prefix}{n}": layer for n, layer in enumerate(layers, start=1)})
'''

NUMBERED_PLAINLY = '''\
def numbered(layers: Iterable[nn.Module]) -> nn.Sequential:
    """A sequence of layers that are named 1, 2, and so on."""
    return named(**{str(n): layer for n, layer in enumerate(layers, start=1)})
'''

DENSE = '''\
class DenseBlock(nn.ModuleDict):
    """Layers that each take the input and the outputs of all before them."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__({str(n): layer for n, layer in enumerate(layers, start=1)})

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x
'''


@dataclass(frozen=True, slots=True)
class OwnModule:
    """The class of a module that PyTorch lacks: ours, or a plugin's."""

    kind: type[nn.Module]
    planned: PlannedLayer
    """A layer that has it."""

    def source(self) -> str:
        """Its source, as it reads in a file of its own.

        Raises:
            FaultError: it cannot be read, or uses other names of its file.
        """
        try:
            text = inspect.getsource(self.kind).replace("functional.", "F.")
        except (OSError, TypeError):
            raise self._fault("has no source that can be read") from None
        text = re.sub(r"  # type: ignore\[.*?\]", "", text)
        foreign = _foreign_names(text)
        if foreign:
            raise self._fault(f"uses {foreign[0]} of its own file")
        return text

    def _fault(self, reason: str) -> Exception:
        message = f".py cannot hold {self.planned.name}: {self.kind.__name__} {reason}"
        hint = "let the class use torch, nn, F and Tensor alone, or export to .pt2"
        return config_fault(message, hint=hint, path=self.planned.path)


def own_modules(layers: Iterable[PlannedLayer], network: nn.Module) -> dict[str, OwnModule]:
    """The modules that PyTorch lacks, by the names of their classes, each once."""
    found: dict[str, OwnModule] = {}
    for planned in layers:
        kind = type(network.get_submodule(planned.name))
        if kind.__module__.partition(".")[0] not in _LIBRARIES:
            found.setdefault(kind.__name__, OwnModule(kind, planned))
    return found


def _foreign_names(text: str) -> list[str]:
    """Names that a class uses, and neither defines nor finds in every source."""
    nodes = list(ast.walk(ast.parse(text)))
    used = {n.id: None for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    known = {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    known |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    known |= {n.name for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    return [name for name in used if name not in known | {*dir(builtins), *_IMPORTED}]
