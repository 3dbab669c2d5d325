"""`cnnctl summary`: of a file, a run folder or a checkpoint, in every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import invoke


def summary(*arguments: str | Path) -> str:
    done = invoke("summary", *arguments)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def facts(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(summary(*arguments, "--json"))
    return found


def test_a_file_and_what_was_trained_from_it_are_one_network(tiny: Path, digits_run: Path) -> None:
    from_file = facts(tiny)
    assert facts(digits_run) == from_file
    assert facts(digits_run / "checkpoints" / "last.safetensors") == from_file
    # 64 * 16 + 16 and 16 * 10 + 10
    assert [row["parameters"] for row in from_file["layers"]] == [0, 1040, 0, 170]


def test_overrides_change_the_network(tiny: Path) -> None:
    layers = facts(tiny, "model.layers.1.linear=32")["layers"]
    assert layers[1]["parameters"] == 64 * 32 + 32


def test_memory_is_counted_for_the_batch_that_is_asked_for(tiny: Path) -> None:
    one, two = (facts(tiny, "--batch-size", size)["layers"][1] for size in ("1", "2"))
    assert two["activation_bytes"] == 2 * one["activation_bytes"] == 2 * 16 * 4
    configured = facts(tiny)["layers"][1]["activation_bytes"]
    assert configured == 128 * one["activation_bytes"]
    everything = facts(tiny, "data.batch_size=all")["layers"][1]["activation_bytes"]
    assert everything == 1293 * one["activation_bytes"]


def test_the_total_is_in_every_form(tiny: Path) -> None:
    for form in ([], ["--markdown"], ["--style", "torchsummary"]):
        assert "1,210" in summary(tiny, *form)
    assert summary(tiny, "--markdown").startswith("|")


@pytest.mark.parametrize("name", ["nowhere.yaml", "nowhere.safetensors"])
def test_what_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    done = invoke("summary", tmp_path / name)
    assert done.exit_code == (2 if name.endswith("yaml") else 4)
    assert name in done.stderr
    assert not done.stdout


def test_a_checkpoint_takes_no_overrides(digits_run: Path) -> None:
    done = invoke("summary", digits_run, "train.epochs=3")
    assert done.exit_code == 2
    assert "overrides go with a YAML file" in done.stderr
