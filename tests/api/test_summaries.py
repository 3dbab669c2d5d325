"""`cnnctl.summary`: of experiments, of checkpoints, and of any module."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from cnnctl import FaultError, Network, Run, summary
from tests.conftest import TINY, invoke


def test_it_has_the_facts_of_the_command(run: Run) -> None:
    found = summary(run)
    assert found.to_json() == json.loads(invoke("summary", run.folder, "--json").stdout)
    assert str(found) in invoke("summary", run.folder).stdout.replace(" \n", "\n")
    assert (found.parameters, found.trainable, found.multiply_adds) == (1210, 1210, 1184)
    assert summary(TINY, overrides={"model.layers.1.linear": 8}).parameters == 610
    assert summary("lenet").layers[0].name == "conv1"


def test_a_notebook_and_a_terminal_show_a_table() -> None:
    found = summary(TINY)
    html = found._repr_html_()
    assert html.startswith("<pre")
    assert "linear1" in html
    assert repr(found) == str(found)
    lines = [line.split()[:3] for line in str(found).splitlines()]
    assert ["linear1", "16", "1,040"] in lines
    assert "| linear1 | 16 | 1,040 |" in found.to_markdown()


def test_a_module_is_summarised_for_an_input_shape(network: Network) -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    found = summary(module, (1, 8, 8), batch_size=16)
    assert (found.parameters, found.multiply_adds) == (40 + 1450, 9 * 4 * 36 + 1440)
    assert found.layers[0].activation_bytes == 16 * 4 * 36 * 4
    text = str(found)
    assert "0 (Conv2d)" in text
    assert "field" not in text
    assert [row.kind for row in summary(network).layers] == ["flatten", "linear", "relu", "linear"]
    assert summary(network, (1, 8, 8)).layers[1].kind == "Linear"
    network.linear2 = nn.Linear(16, 3)
    assert summary(network).parameters == 1040 + 51
    with pytest.raises(FaultError, match="the input shape of a module is not known") as caught:
        summary(module)
    assert "summary(module, (3, 224, 224))" in caught.value.faults[0].hint
    with pytest.raises(FaultError, match=r"does not take inputs of \(N, 3, 8, 8\)"):
        summary(module, (3, 8, 8))


def test_several_inputs_and_other_dtypes_are_given_too() -> None:
    assert summary(nn.Bilinear(3, 4, 5), [(3,), (4,)]).parameters == 3 * 4 * 5 + 5
    assert summary(nn.Embedding(9, 4), (7,), dtype=torch.int64).layers[0].output == (7, 4)
