"""torch.export programs: they answer as the program does, for any number of samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.export import fresh
from cnnctl.export.checking import TOLERANCE
from cnnctl.export.exporting import export
from cnnctl.export.format import Run, Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import Original, open_original
from cnnctl.shipped import experiments
from tests.conftest import TINY
from tests.examples import BLOCKS, INPUTS, LEAVES, SHALLOWEST, example
from tests.export.running import checked, here, opened, reduced
from tests.export.test_checking import HEADS
from tests.export.test_original import MNIST, VALUES

NAMES = ("outputs", "input", "preprocessing", "experiment")


@pytest.mark.long
def test_pixels_go_in_and_named_probabilities_come_out(tmp_path: Path) -> None:
    original = opened(tmp_path, HEADS)
    found = checked(original, "pt2", tmp_path)
    assert found.is_within
    assert found.difference > 0
    extra: dict[str, Any] = {f"{name}.json": "" for name in NAMES}
    program = torch.export.load(tmp_path / "x.pt2", extra_files=extra)
    outputs = program.module()(torch.zeros(3, 1, 8, 8, dtype=torch.uint8))
    assert [*outputs] == ["digit", "parity"]
    assert outputs["parity"].sum(dim=1).tolist() == pytest.approx([1, 1, 1])
    facts = [json.loads(extra[f"{name}.json"]) for name in NAMES]
    assert [each["classes"] for each in facts[0]] == [[*"0123456789"], ["even", "odd"]]
    assert facts[1] == {"shape": ["batch", 1, 8, 8], "dtype": "uint8", "is": "stored"}
    assert facts[2]["picture"] == {"mode": "L", "size": [8, 8], "resize": "pad"}
    assert facts[3] == original.experiment.plain()


@pytest.mark.long
@pytest.mark.parametrize("text", [TINY, VALUES, MNIST])
def test_raw_is_the_network_alone(text: str, tmp_path: Path) -> None:
    original = opened(tmp_path, text)
    found = checked(original, "pt2", tmp_path, Wishes(raw=True))
    assert found.is_within
    program = torch.export.load(tmp_path / "x.pt2").module()
    [outputs] = program(original.random(2, raw=True)).values()
    assert torch.allclose(outputs, original.network(original.random(2, raw=True)), atol=1e-6)


def test_unknown_statistics_are_refused_but_for_raw(tmp_path: Path) -> None:
    original = opened(tmp_path, MNIST)
    with pytest.raises(FaultError) as caught:
        export(original, tmp_path / "x.pt2", FORMATS["pt2"], Wishes(), run=here)
    text = str(caught.value)
    assert text.startswith("cannot be exported to .pt2: the statistics of its preprocessing are")
    assert text.endswith("use --raw, .safetensors or .py")
    assert not (tmp_path / "x.pt2").exists()


def ends(original: Original, folder: Path, wishes: Wishes, run: Run = here) -> None:
    found = checked(original, "pt2", folder, wishes, run)
    assert found.tolerance == TOLERANCE
    assert found.difference <= TOLERANCE, found


@pytest.mark.long
@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS])
def test_every_layer_is_held(kind: str, tmp_path: Path) -> None:
    for shape in INPUTS:
        layers = json.dumps([example(kind), "flatten", {"linear": "classes"}])
        data = f"{{name: fake, shape: {[*shape]}, classes: 3, samples: 40, batch_size: 8}}"
        try:
            original = opened(tmp_path, f"data: {data}\nmodel: {{layers: {layers}}}\n")
        except FaultError:
            continue
        ends(original, tmp_path, Wishes())
        return
    raise AssertionError(f"no input fits {kind}")


@pytest.mark.long
@pytest.mark.parametrize("name", SHALLOWEST)
def test_the_networks_of_the_zoo_run_without_this_program(name: str, tmp_path: Path) -> None:
    ends(open_original(Path(name), reduced(name)), tmp_path, Wishes(), fresh.run)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(experiments()))
def test_every_shipped_experiment_runs_without_this_program(name: str, tmp_path: Path) -> None:
    original = open_original(Path(name), data_root=tmp_path)
    ends(original, tmp_path, Wishes(raw=original.preprocessing is None), fresh.run)
