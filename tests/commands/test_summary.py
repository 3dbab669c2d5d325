"""`cnnctl summary`: of a file, a run folder or a checkpoint, in every form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnctl.inspection.columns import COLUMNS
from tests.commands.test_summary_document import check_summary
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
def test_a_missing_source_is_reported(name: str, tmp_path: Path) -> None:
    done = invoke("summary", tmp_path / name)
    assert done.exit_code == (2 if name.endswith("yaml") else 4)
    assert name in done.stderr
    assert not done.stdout


def test_a_checkpoint_takes_no_overrides(digits_run: Path) -> None:
    done = invoke("summary", digits_run, "train.epochs=3")
    assert done.exit_code == 2
    assert "overrides do not apply to a checkpoint" in done.stderr


def test_columns_may_be_chosen(tiny: Path) -> None:
    lines = summary(tiny, "--columns", "kernel,share,init").splitlines()
    assert lines[1].split() == ["layer", "kernel", "parameters", "init"]
    assert "86.0%" in next(line for line in lines if line.startswith("linear1"))  # 1040 of 1210


def test_two_networks_stand_side_by_side(tiny: Path, digits_run: Path) -> None:
    text = summary("resnet18", "--compare", "resnet34", "--depth", "1")
    assert "11,689,512" in text
    assert "21,797,672" in text
    assert any(line.startswith("~") and "repeat4" in line for line in text.splitlines())
    data = facts(tiny, "model.layers.1.linear=32", "--compare", digits_run)
    assert data["left"]["parameters"] == 64 * 32 + 32 + 32 * 10 + 10
    assert data["right"]["parameters"] == 1210
    assert [layer["sign"] for layer in data["layers"]] == ["", "~", "~", "~"]
    assert "| ratio |" in summary(tiny, "--compare", tiny, "--markdown")


def test_networks_of_one_file_name_are_told_apart(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / tiny.name
    other.write_text(tiny.read_text(encoding="utf-8"), encoding="utf-8")
    heading = summary(tiny, "--compare", other, "--markdown").splitlines()[0]
    assert heading == f"|  | {tiny} | {other} | ratio |"


def test_the_help_names_every_column() -> None:
    text = " ".join(invoke("summary", "--help").stdout.replace("│", " ").split())
    assert f"Comma-separated columns, or all: {', '.join(COLUMNS)}." in text


def test_training_memory_is_reported_beside_what_there_is(tiny: Path) -> None:
    text = summary(tiny, "--batch-size", "1", "optimizer.name=adam", "optimizer.lr=0.001")
    assert "training at batch size 1: " in text
    # 1,210 weights of four bytes; Adam keeps two numbers for each
    assert "weights 4.8 kB, gradients 4.8 kB, optimizer 9.7 kB" in text
    memory = facts(tiny)["training_memory"]
    assert memory["total"] == sum(memory[k] for k in memory if k != "total")


def test_frozen_layers_do_not_train(tiny: Path) -> None:
    data = facts(tiny, "model.freeze=[linear1]")
    assert (data["parameters"], data["trainable"]) == (1210, 170)
    assert data["training_memory"]["gradients"] == 170 * 4
    assert "trainable" in summary(tiny, "model.freeze=[linear1]")


def test_layers_that_train_later_count_from_their_epoch_on(tiny: Path) -> None:
    freeze = ["model.freeze=[linear1]", "model.unfreeze_at=2"]
    all_train, data = facts(tiny), facts(tiny, *freeze)
    assert data["training_memory"] == facts(tiny, freeze[0])["training_memory"]
    assert data["unfrozen"] == {
        "epoch": 2, "trainable": 1210, "training_memory": all_train["training_memory"],
    }  # fmt: skip
    text = summary(tiny, *freeze)
    assert "1,210 parameters, 170 trainable, all from epoch 2" in text
    assert "training at batch size 128, up to epoch 1: " in text
    assert "training at batch size 128, from epoch 2: " in text
    check_summary(data)


def test_the_memory_that_is_compared_is_the_most_of_any_epoch(tiny: Path) -> None:
    freeze = ["model.freeze=[linear1]", "model.unfreeze_at=2"]
    rows = summary(tiny, *freeze, "--compare", tiny, "--markdown").splitlines()
    (peak,) = [row for row in rows if "peak training memory" in row]
    assert peak.endswith("| 1.00x |")


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_epoch_that_does_not_come_unfreezes_nothing(tiny: Path, epoch: int) -> None:
    data = facts(tiny, "model.freeze=[linear1]", f"model.unfreeze_at={epoch}")
    assert data["unfrozen"] is None
    assert data["trainable"] == (1210 if epoch == 1 else 170)


def test_a_wide_output_is_shown_with_all_its_digits(tiny: Path) -> None:
    wide = summary(tiny, "model.layers.1.linear=3000000")
    assert "e+" not in wide
    assert " 3000000 " in wide


def test_a_drawing_is_written_beside_the_table(tiny: Path, tmp_path: Path) -> None:
    assert "1,210" in summary(tiny, "--graph", tmp_path / "net.mmd")
    assert (tmp_path / "net.mmd").read_text(encoding="utf-8").startswith("flowchart")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--columns", "kernl"], "no such column: kernl"),
        (["--columns", "kernel", "--json"], "--json always includes all columns"),
        (["--columns", "kernel", "--compare", "lenet5"], "--compare has fixed columns"),
        (["--graph", "net.svg", "--compare", "lenet5"], "--graph draws one network"),
        (["--depth", "1", "--json"], "--json always includes all levels"),
        (["--json", "--markdown"], "--json and --markdown are mutually exclusive"),
        (["--style", "torchsummary", "--json"], "torchsummary has a fixed format"),
        (["--style", "torchsummary", "--graph", "n.svg"], "torchsummary has a fixed format"),
        (["--graph", "net.txt"], "cannot draw to net.txt: unknown format"),
        (["--compare", "lenet6"], "no zoo network or shipped experiment is named lenet6"),
    ],
)
def test_what_does_not_go_together_is_reported(options: list[str], fault: str, tiny: Path) -> None:
    done = invoke("summary", tiny, *options)
    assert done.exit_code == 2
    assert fault in done.stderr
    assert not done.stdout


def test_a_pipe_gets_a_line_for_each_row_whatever_its_width() -> None:
    lines = summary("resnet18", "--columns", "all").splitlines()
    (row,) = [line for line in lines if "basic4" in line]
    assert row.split()[:2] == ["basic4", "(residual)"]
    assert len(row) > 120
    narrow = invoke("summary", "resnet18", "--columns", "all", COLUMNS="60").stdout
    assert max(map(len, narrow.splitlines())) <= 60
