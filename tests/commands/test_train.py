"""`cnnctl train`, as people run it: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from cnnctl.checkpoint import load
from cnnctl.experiment import load as load_experiment
from cnnctl.layout import Part
from cnnctl.model import network
from tests.conftest import TINY, Cli, environment, invoke, rows_of
from tests.warm import Process

NAMED = f"name: netz größe  # ein Name\n{TINY}"


def start(folder: Path, *arguments: str | Path) -> Process:
    return Process(["train", *map(str, arguments)], cwd=folder, env=environment())


class Pair(NamedTuple):
    """Two runs of one experiment that were started at the same time."""

    folder: Path
    outputs: tuple[str, str]

    def run(self, name: str) -> Path:
        return self.folder / "runs" / name


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair") / "mein Ordner für Übungen"
    folder.mkdir()
    (folder / "große übung.yaml").write_text(NAMED, encoding="utf-8")
    both = [start(folder, "große übung.yaml", "train.epochs=3", "seed=4") for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert [complaints for _, complaints in outputs] == ["", ""]
    return Pair(folder, (outputs[0][0], outputs[1][0]))


def test_runs_at_the_same_time_get_folders_of_their_own(pair: Pair) -> None:
    folders = sorted(path.name for path in (pair.folder / "runs").iterdir())
    assert folders == ["netz größe", "netz größe-2"]
    named = [re.search(r"run folder: runs/(.*)", text) for text in pair.outputs]
    assert sorted(found[1] for found in named if found) == folders
    one, other = (rows_of(pair.run(name)) for name in folders)
    assert one == other
    assert [row["epoch"] for row in one] == [1, 2, 3]


def test_where_there_is_no_terminal_each_epoch_is_one_plain_line(pair: Pair) -> None:
    for text in pair.outputs:
        lines = text.splitlines()
        assert len([line for line in lines if line.startswith("epoch ")]) == 3
        assert re.fullmatch(r"best epoch \d: validation accuracy \d\d\.\d\d%", lines[-4])
        assert re.fullmatch(r"test: loss \d\.\d{4}, accuracy \d\d\.\d\d%", lines[-3])
        assert all(letter.isprintable() for line in lines for letter in line)


def test_the_last_line_is_the_next_command_to_type(pair: Pair) -> None:
    words = shlex.split(pair.outputs[0].splitlines()[-1])
    assert words[:3] == ["next:", "cnnctl", "eval"]
    assert (pair.folder / words[3] / "checkpoints" / "best.safetensors").exists()


def test_the_file_is_kept_as_it_was_written_with_the_overrides(pair: Pair) -> None:
    kept = (pair.run("netz größe") / "config.source.yaml").read_text(encoding="utf-8")
    assert kept == f"# overrides: train.epochs=3 seed=4\n{NAMED}"


def test_what_it_ran_on_is_kept(pair: Pair) -> None:
    text = (pair.run("netz größe") / "environment.json").read_text(encoding="utf-8")
    facts = json.loads(text)
    assert torch.__version__.startswith(facts["packages"]["torch"])
    assert facts["command"][1:] == ["train", "große übung.yaml", "train.epochs=3", "seed=4"]
    assert facts["folder"] == str(pair.folder)


def test_tensorboard_shows_what_metrics_holds(pair: Pair) -> None:
    run = pair.run("netz größe")
    reader: Any = EventAccumulator(str(run / "tensorboard"))
    reader.Reload()
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        for name, value in row.items():
            if name not in ("epoch", "kept"):
                events = {event.step: event.value for event in reader.Scalars(name)}
                assert events[row["epoch"]] == pytest.approx(value)


def test_every_choice_is_written_down_and_can_be_run_again(pair: Pair, cli: Cli) -> None:
    config = pair.run("netz größe") / "config.yaml"
    plain = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert "auto" not in json.dumps({**plain["train"], **plain["data"]})
    assert (plain["name"], plain["seed"], plain["train"]["epochs"]) == ("netz größe", 4, 3)
    again = cli("train", config, "--runs", "again", cwd=pair.folder, PYTHONHASHSEED="1")
    assert again.returncode == 0, again.stderr
    assert "run folder: again/netz größe" in again.stdout
    assert rows_of(pair.folder / "again" / "netz größe") == rows_of(pair.run("netz größe"))


def refused(code: int, *arguments: str | Path) -> str:
    """What a training says that is refused before it begins, which leaves no folder behind."""
    done = invoke("train", *arguments, "--runs", "runs")
    assert done.exit_code == code, done.output
    assert not done.stdout
    assert not Path("runs").exists() or not list(Path("runs").iterdir())
    return str(done.stderr)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_data_set_that_cannot_be_downloaded_says_where_it_looked_and_what_would_do(
    here: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):  # nobody answers at this port
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    said = refused(3, tiny, "data.name=mnist", "--data", "my data")
    assert f"no {here / 'my data' / 'MNIST' / 'raw' / 'train-images-idx3-ubyte'}" in said
    assert "data.name=digits (no download)" in said


def write_idx(folder: Path, stem: str, labels: list[int]) -> None:
    """MNIST's files of this many black images, as its page describes them."""
    count = len(labels).to_bytes(4, "big")
    size = (28).to_bytes(4, "big")
    images = b"\0\0\x08\x03" + count + size + size + bytes(28 * 28 * len(labels))
    (folder / f"{stem}-images-idx3-ubyte").write_bytes(images)
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + count + bytes(labels))


def test_files_with_other_content_than_published_are_a_fault_of_the_data(
    here: Path, tiny: Path
) -> None:
    raw = here / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write_idx(raw, "train", [*range(10), 10])
    write_idx(raw, "t10k", [*range(10)])
    said = refused(3, tiny, "data.name=mnist")
    assert "train-images-idx3-ubyte is damaged\n    delete it" in said


def test_files_that_lie_a_folder_higher_are_pointed_at(here: Path, tiny: Path) -> None:
    raw = here / "my data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write_idx(raw, "train", [*range(10)])
    write_idx(raw, "t10k", [*range(10)])
    said = refused(3, tiny, "data.name=mnist", "--data", "my data/MNIST")
    assert f"use --data '{here / 'my data'}'" in said


BATCH_NORM = "model.layers=[flatten, {linear: 8}, batch_norm, {linear: classes}]"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.batch_size=5000"], "data.batch_size: 5000 exceeds the 1293 training samples"),
        ([BATCH_NORM, "data.batch_size=1"], "batch_norm cannot train on a batch of one sample"),
        # 1,293 is 4 * 323 + 1
        ([BATCH_NORM, "data.batch_size=4"], "the last batch has 1 of 1293 samples"),
    ],
)
def test_batches_that_cannot_be_are_faults_of_the_configuration(
    overrides: list[str], said: str, here: Path, tiny: Path
) -> None:
    assert said in refused(2, tiny, *overrides)


def test_a_file_in_place_of_the_runs_is_reported(here: Path, tiny: Path) -> None:
    (here / "file").write_text("", encoding="utf-8")
    done = invoke("train", tiny, "--runs", "file")
    assert done.exit_code == 6
    assert "file: cannot be written: File exists" in done.stderr
    assert "choose a folder with --runs" in done.stderr


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_weights(cli: Cli, tiny: Path) -> None:
    done = cli("train", tiny, "optimizer.lr=1e30")
    assert done.returncode == 7
    assert "the loss is not finite at step 2" in done.stderr
    assert "try a lower optimizer.lr (now 1e+30)" in done.stderr
    assert "Traceback" not in done.stderr
    last = load(tiny.parent / "runs" / "tiny" / "checkpoints" / "last.safetensors")
    # nothing was saved since the very start
    untouched = network.build(load_experiment(tiny).plan, seed=0).state_dict()
    assert last.under(Part.MODEL).keys() == untouched.keys()
    assert all(torch.equal(last.under(Part.MODEL)[name], untouched[name]) for name in untouched)


def test_inputs_that_are_not_numbers_end_the_run_at_its_first_step(here: Path, tiny: Path) -> None:
    # black pixels become 0 * inf
    done = invoke("train", tiny, "data.normalize={mean: [0], std: [1.0e-45]}")
    assert done.exit_code == 7
    assert "the loss is not finite at step 1" in done.stderr
    assert "check the data for NaN and extreme values" in done.stderr


def test_weights_that_overflow_in_the_last_step_are_no_result(here: Path, tiny: Path) -> None:
    done = invoke("train", tiny, "optimizer.lr=1e30", "data.batch_size=all", "train.epochs=1")
    assert done.exit_code == 7
    assert not Path("runs/tiny/checkpoints/best.safetensors").exists()


def test_a_network_that_no_memory_holds_says_so(cli: Cli, tiny: Path) -> None:
    # each layer is allowed by itself; one of them takes 4 TB
    layers = "model.layers=[flatten, {linear: 1000}, {linear: 990000000}, {linear: classes}]"
    done = cli("train", tiny, layers)
    assert done.returncode == 8
    said = (
        "out of memory on cpu with train.micro_batch_size=32\n    use a smaller train.micro_batch"
    )
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
    assert not list((tiny.parent / "runs").iterdir())


def test_a_run_in_use_is_refused_and_free_after_kill_9(here: Path, tiny: Path) -> None:
    first = start(here, tiny, "train.epochs=1000000")
    best = here / "runs" / "tiny" / "checkpoints" / "best.safetensors"
    while not best.exists():
        assert first.poll() is None
    second = invoke("train", "--resume", "runs/tiny", "train.epochs=1")
    assert second.exit_code == 5
    assert "runs/tiny: is in use by another run" in second.stderr
    first.kill()
    first.communicate()
    third = invoke("train", "--resume", "runs/tiny", "train.epochs=1")
    assert third.exit_code == 0, third.output


PLUGIN = '''\
"""A layer of the user's own."""

from torch import Tensor, nn

from cnnctl.model.layer import Layer


class Doubling(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * inputs


class Doubled(Layer, kind="doubled_by_a_plugin"):
    """Twice the input."""

    def build(self, input: tuple[int, ...]) -> nn.Module:
        return Doubling()
'''


def test_a_layer_of_a_plugin_trains_and_is_evaluated_with_the_plugin(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "meine Schichten.py").write_text(PLUGIN, encoding="utf-8")
    config = TINY.replace("- relu", "- doubled_by_a_plugin") + "plugins: [meine Schichten.py]\n"
    (tmp_path / "tiny.yaml").write_text(config, encoding="utf-8")
    trained = cli("train", "tiny.yaml")
    assert trained.returncode == 0, trained.stderr

    without = invoke("eval", tmp_path / "runs" / "tiny")
    assert without.exit_code == 4
    assert "no layer is named doubled_by_a_plugin" in without.stderr
    plugin = tmp_path / "meine Schichten.py"
    assert f"it was trained with {plugin}; add --plugin FILE for each" in without.stderr

    _, _, *arguments = shlex.split(trained.stdout.splitlines()[-1])
    assert arguments == ["eval", "runs/tiny", "--plugin", str(plugin)]
    evaluated = cli(*arguments)
    assert evaluated.returncode == 0, evaluated.stderr
    assert "on 360 samples" in evaluated.stdout


def test_a_precision_that_the_device_lacks_is_a_fault_at_its_line(
    quick_cli: Cli, tiny: Path
) -> None:
    tiny.write_text(
        tiny.read_text().replace("epochs: 2", "epochs: 1, device: cpu, precision: tf32")
    )
    done = quick_cli("train", tiny)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tiny}:9:44: train.precision: CPU, ")
    assert "does not compute in tf32\n    use auto or fp32" in done.stderr
