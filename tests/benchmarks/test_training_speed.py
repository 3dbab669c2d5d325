"""The benchmark of training: one network for all contenders, and figures of each."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from benchmarks.training_speed import report
from benchmarks.training_speed.__main__ import present
from benchmarks.training_speed.contending import CONTENDERS, Contender, Measured
from benchmarks.training_speed.networks import NETWORKS
from cnnctl.export.original import open_original
from tests.conftest import environment

ROOT = Path(__file__).parents[2]


def parameters(module: torch.nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_cnnctl_and_the_loops_by_hand_train_one_network(name: str, tmp_path: Path) -> None:
    chosen = NETWORKS[name]
    data = f"data: {{name: fake, shape: {[*chosen.shape]}, classes: 10}}\n"
    (tmp_path / "x.yaml").write_text(f"{data}model:\n{chosen.model}", encoding="utf-8")
    ours, by_hand = open_original(tmp_path / "x.yaml").network, chosen.build().eval()
    assert parameters(by_hand) == parameters(ours)
    with torch.no_grad():
        for mine, theirs in zip(by_hand.parameters(), ours.parameters(), strict=True):
            mine.copy_(theirs)
        images = torch.randn(2, *chosen.shape)
        assert torch.allclose(by_hand(images), ours.eval()(images), atol=1e-4)


def test_ratios_are_of_medians() -> None:
    def found(*speeds: float) -> list[Measured]:
        return [Measured(speed, 100 * speed, None, 1) for speed in speeds]

    rows = report.rows_of({"cnnctl": found(6, 9, 3), "plain": found(2, 2, 9), "bf16": found(4, 4)})
    assert rows["cnnctl"]["over_plain"] == 3
    assert rows["cnnctl"]["over_best_by_hand"] == 1.5
    assert rows["cnnctl"]["peak_mib"] == 600
    assert rows["cnnctl"]["seconds_to_first_step"] is None


def test_a_contender_without_its_package_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(CONTENDERS, "other", Contender("x", package="no_such_package"))
    assert present(["plain", "other"]) == ["plain"]
    said = "other is skipped: the package no_such_package is not installed"
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.long
def test_every_contender_that_is_installed_is_measured(tmp_path: Path) -> None:
    words = "--models mlp --images 128 --batch-sizes 64 --rounds 1 --epochs 2 --json x.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training_speed", *words.split()],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    [result] = document["results"]
    skipped = {line.split()[0] for line in done.stdout.splitlines() if " is skipped: " in line}
    assert result["medians"].keys() | skipped == CONTENDERS.keys()
    for row in result["medians"].values():
        assert all(row[each] > 0 for each in ("images_per_second", "peak_mib"))
        assert row["seconds_to_first_step"] > 0
    assert document["environment"]["versions"]["torch"] == version("torch")


@pytest.mark.long
@pytest.mark.skipif(CONTENDERS["keras"].missing is not None, reason="needs keras")
def test_networks_in_keras_have_as_many_parameters() -> None:
    program = (
        "import sys; from benchmarks.training_speed.contenders.keras_fit import network_of\n"
        "for name in sys.argv[1:]: print(sum(x.value.numel()"
        " for x in network_of(name).trainable_variables))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *NETWORKS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [parameters(each.build()) for each in NETWORKS.values()]
    assert [*map(int, done.stdout.split())] == expected
