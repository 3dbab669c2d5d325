"""Definitions that a network's source needs beside its own classes: helpers, and modules."""

from __future__ import annotations

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
