"""`cnnctl export`: what is said, and what is refused before anything is read."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import torch

from cnnctl.export import fresh
from tests import warm
from tests.conftest import Cli, environment, invoke
from tests.export.running import here


@pytest.fixture(autouse=True)
def in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fresh, "run", here)


def test_the_check_is_told_and_initial_weights_are_named(tiny: Path) -> None:
    done = invoke("export", tiny, "x.safetensors", "seed=7")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "x.safetensors\n"
        "checked in a process without cnnctl on 4 tensors: largest difference 0\n"
        "note: untrained; these are initial weights\n"
    )


def test_the_facts_of_a_run_as_json(digits_run: Path) -> None:
    done = invoke("export", digits_run, "a b.safetensors", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["files"] == ["a b.safetensors"]
    assert facts["bytes"] == Path("a b.safetensors").stat().st_size
    assert facts["trained"] is True
    assert facts["difference"] == 0
    assert facts["notes"] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tiny.yaml", "x.nosuch"], 2, ["unknown format", "ending in .", "--format"]),
        (["tiny.yaml", "x.safetensors", "--raw"], 2, ["takes no --raw", "--raw is for", ".pt2"]),
        (["tiny.yaml", "tiny.yaml", "--format", "safetensors"], 2, ["exists", "--force"]),
        (["tiny.yaml", "no/x.safetensors"], 6, ["no: cannot be written: No such file"]),
        (["tiny.yaml", "tiny.yaml/x.safetensors"], 6, ["cannot be written: Not a directory"]),
        (["tiny.yaml", "x.pth"], 2, ["to .pth: torchvision has no network", "use ", ".pt2"]),
        (["nosuch", "x.safetensors"], 2, ["no zoo network or shipped experiment is named nosuch"]),
        (["no.safetensors", "x.safetensors"], 4, ["no.safetensors: cannot be read: No such file"]),
        (["tiny.yaml", "x.safetensors", "sed=1"], 2, ["sed", "seed"]),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(
    words: list[str], code: int, said: list[str], tiny: Path
) -> None:
    done = invoke("export", *words)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert all(each in done.stderr for each in said), done.stderr
    assert [*Path().iterdir()] == [Path("tiny.yaml")]


def test_formats_are_listed() -> None:
    facts = json.loads(invoke("list", "formats", "--json").stdout)
    assert {each["format"]: each["suffix"] for each in facts}["pt2"] == ".pt2"
    assert "torch.export" in invoke("list", "formats", "pt2").stdout
    assert "did you mean pt2" in invoke("list", "formats", "pt").stderr


@pytest.mark.long
def test_the_whole_command(digits_run: Path, cli: Cli) -> None:
    done = cli("export", digits_run, "x.pt2")
    assert (done.returncode, done.stderr) == (0, "")
    [path, told] = done.stdout.splitlines()
    assert path == "x.pt2"
    assert "8 random inputs and 8 samples of digits, in batches of 1 and 7" in told
    outputs = torch.export.load("x.pt2").module()(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    assert outputs["probabilities"].shape == (1, 10)
    before = Path("x.pt2").read_bytes()
    tight = cli("export", digits_run, "x.pt2", "--force", "--tolerance", "0")
    assert tight.returncode == 9
    assert "the .pt2 file differs from the network: largest difference" in tight.stderr
    assert Path("x.pt2").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["x.pt2"]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_leaves_nothing(number: signal.Signals, tiny: Path) -> None:
    process = warm.Process(["export", str(tiny), "x.pt2"], cwd=Path.cwd(), env=environment())
    while not [*Path().glob(".*.exporting/x.pt2")]:
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert [*Path().iterdir()] == [Path("tiny.yaml")]
