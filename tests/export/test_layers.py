"""A network that an exporter refuses is refused with the name of the layer."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from cnnctl.export.layers import cannot_hold
from tests.conftest import TINY
from tests.export.running import opened


def test_the_first_layer_that_fails_is_named(tmp_path: Path) -> None:
    def attempt(module: nn.Module, inputs: Tensor) -> None:
        assert len(module(inputs)) == 2
        if isinstance(module, nn.ReLU):
            raise RuntimeError("\nno such operator\nof many lines")

    original = opened(tmp_path, TINY)
    fault = cannot_hold(".x", ValueError("?"), original, attempt, hint="use .y")
    assert str(fault) == (
        "model.layers.2.relu: .x cannot hold relu1 (relu): no such operator\n    use .y"
    )


def test_without_such_a_layer_it_is_the_network(tmp_path: Path) -> None:
    original, error = opened(tmp_path, TINY), ValueError("too deep\n")
    fault = cannot_hold(".x", error, original, lambda *_: None, hint="use .y")
    assert str(fault) == ".x cannot hold it: too deep\n    use .y"
