import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.data.normalization import Normalize
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Split
from cnnctl.data.sources.signals import SignalSet
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli
from tests.training.conftest import assert_same_state, last

HEADER = ["id", "t", "x", "note", "who", "kind"]


def moments(series: int = 40) -> list[list[Any]]:
    """Fast and slow waves of different lengths; two of each person."""
    rng = np.random.default_rng(0)
    rows: list[list[Any]] = []
    for number in range(series):
        speed, length, phase = 0.3 + 0.5 * (number % 2), rng.integers(20, 40), rng.uniform(0, 6)
        for at in range(length):
            value = 5 + np.sin(at * speed + phase) + rng.normal(scale=0.1)
            kind = ["slow", "fast"][number % 2]
            rows.append([f"s{number}", at + number, f"{value:.4f}", "-", f"p{number // 2}", kind])
    return rows


ROWS = moments()


def write(folder: Path, rows: Sequence[Sequence[Any]] = ROWS, name: str = "long.csv") -> str:
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return str(folder / name)


def surveyed(path: str, **options: Any) -> SignalSet:
    asked = {"name": "signals", "path": path, **options}
    return SignalSet.read(asked).surveyed(Path(), seed=0)


def in_table(folder: Path, rows: Sequence[Sequence[Any]] = ROWS, **options: Any) -> SignalSet:
    known: dict[str, Any] = {"series": "id", "time": "t", "target": "kind"}
    return surveyed(write(folder, rows), **(known | options))


def inputs_of(split: Split) -> Any:
    return split.samples.rows.take(split.positions).numpy()


def test_a_long_table_is_described_by_its_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = in_table(tmp_path, group="who")
    lengths = np.unique([row[0] for row in ROWS], return_counts=True)[1]
    assert (data.channels, data.classes, data.task) == (["x"], ["fast", "slow"], "classification")
    assert data.length == data.shape[1] <= lengths.max()
    assert "not used, as they hold no measurements: note" in capsys.readouterr().err
    assert SignalSet.read(data.written()) == data
    assert data.describe().shape == (1, data.length)


def test_a_series_can_have_several_labels(tmp_path: Path) -> None:
    tagged = {"slow": "even", "fast": "odd; quick"}
    rows = [[*row[:5], tagged[row[5]]] for row in ROWS]
    data = in_table(tmp_path, rows, task="multilabel", test=0.25)
    assert (data.classes, data.describe().is_multilabel) == (["even", "odd", "quick"], True)
    targets = prepare(data, seed=0).splits.test.targets
    assert targets.sum(dim=0).tolist() == [5, 5, 5]
    assert torch.equal(targets[:, 1], targets[:, 2])
    assert torch.equal(targets[:, 0], 1 - targets[:, 1])


def test_what_fills_a_series_up_is_zero_for_the_network(tmp_path: Path) -> None:
    prepared = prepare(in_table(tmp_path, length=60), seed=0)
    assert isinstance(prepared.data.normalize, Normalize)
    mean, std = prepared.data.normalize.mean[0], prepared.data.normalize.std[0]
    normalised = (inputs_of(prepared.splits.train) - mean) / std
    assert np.abs(normalised[:, :, 40:]).max() < 1e-5
    known = np.abs(normalised) > 1e-5
    np.testing.assert_allclose(normalised[known].std(), 1, rtol=0.01)
    prepared = prepare(in_table(tmp_path, length=60, normalize=None), seed=0)
    assert (inputs_of(prepared.splits.train)[:, :, 40:] == 0).all()


def test_a_series_is_in_one_split_and_so_is_a_group(tmp_path: Path) -> None:
    parts = prepare(in_table(tmp_path, group="who", validation=0.2), seed=0).splits
    found = [
        {(part.samples.groups or [])[int(at)] for at in part.positions}
        for part in (parts.train, parts.validation, parts.test)
    ]
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 40
    assert sum(map(len, found)) == 20
    assert all(found)


def test_the_series_that_begin_latest_are_for_testing(tmp_path: Path) -> None:
    data = in_table(tmp_path, recorded="t", test=0.25, validation=0.1)
    parts = prepare(data, seed=0).splits
    whole = in_table(tmp_path, test=0, validation=0, length=data.length)
    every = inputs_of(prepare(whole, seed=0).splits.train)
    for part, expected in ((parts.validation, slice(27, 30)), (parts.test, slice(30, 40))):
        np.testing.assert_array_equal(inputs_of(part)[:, :, :20], every[expected, :, :20])


def test_a_column_can_give_the_splits(tmp_path: Path) -> None:
    names = {f"s{number}": ["train", "val", "test"][number // 2 % 3] for number in range(40)}
    rows = [[*row[:3], names[row[0]], *row[4:]] for row in ROWS]
    data = in_table(tmp_path, rows, split="note")
    assert data.samples is not None
    assert [data.samples.train, data.samples.validation, data.samples.test] == [14, 14, 12]
    rows[-1][3] = "train"
    with pytest.raises(FaultError, match="train differs from val in line"):
        in_table(tmp_path, rows, split="note")


@pytest.mark.parametrize(
    ("options", "path", "message", "hint"),
    [
        ({"series": None}, ("series",), "needs the column that tells its series", "columns: id, t"),
        ({"series": "ids"}, ("series",), "has no column ids", "did you mean id"),
        ({"channels": ["x", "z"]}, ("channels", 1), "has no column z", "known: id, t"),
        ({"target": "auto"}, ("target",), "has no column that may be the target", "columns: id"),
        ({"layout": "channels_last"}, ("layout",), "layout does not apply to a table", "leave it"),
        ({"test": 0.001}, ("test",), "leaves none", "closer to 0.5"),
    ],
)
def test_options_that_do_not_fit_are_faults(
    options: dict[str, Any], path: tuple[str, ...], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        in_table(tmp_path, **options)
    assert error.value.faults[0].path == path
    assert hint in error.value.faults[0].hint


def test_rules_for_splits_are_not_combined() -> None:
    with pytest.raises(ValueError, match="group and split cannot be combined"):
        SignalSet(path="t.csv", group="patient", split="part")


def test_a_value_that_is_no_number_is_named_by_line(tmp_path: Path) -> None:
    rows = [[*row] for row in ROWS]
    rows[50][2] = "4..5"
    for options in ({}, {"channels": ["x"]}):
        with pytest.raises(FaultError, match=r"long.csv:52: column x: 4..5 is not a num") as error:
            in_table(tmp_path, rows, **options)
        assert "data.channels" in error.value.faults[0].hint


def test_a_table_without_numbers_has_no_signals(tmp_path: Path) -> None:
    rows = [[*row[:2], "abc"[number % 3], *row[3:]] for number, row in enumerate(ROWS)]
    with pytest.raises(FaultError, match="has no numeric columns besides"):
        in_table(tmp_path, rows)


SIGNALS = np.random.default_rng(0).normal(size=(50, 3, 20)) * [[1], [10], [100]] + 7
CLASS = np.arange(50) % 2


def arrays(folder: Path, **named: Any) -> str:
    np.savez(folder / "data.npz", **named)
    return str(folder / "data.npz")


@pytest.mark.parametrize("signals", [SIGNALS, SIGNALS.transpose(0, 2, 1)])
def test_arrays_of_both_layouts_give_the_same_signals(signals: Any, tmp_path: Path) -> None:
    data = surveyed(arrays(tmp_path, x=signals, y=CLASS), validation=0)
    assert (data.shape, data.length) == ([3, 20], 20)
    parts = prepare(data, seed=0).splits
    together = np.concatenate([inputs_of(parts.train), inputs_of(parts.test)])
    assert sorted(map(bytes, together)) == sorted(map(bytes, SIGNALS.astype(np.float32)))


@pytest.mark.parametrize("length", [12, 30])
@pytest.mark.parametrize("rows", ["memory", "mapped"])
def test_arrays_are_cut_or_filled_up(length: int, rows: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "x.npy", SIGNALS)
    np.save(folder / "y.npy", CLASS)
    prepared = prepare(surveyed(str(folder), length=length, rows=rows), seed=0)
    train = inputs_of(prepared.splits.train)
    assert train.shape[1:] == (3, length)
    assert isinstance(prepared.data.normalize, Normalize)
    mean = np.array(prepared.data.normalize.mean)
    np.testing.assert_allclose(train[:, :, :20].mean(axis=(0, 2)), mean, rtol=1e-5)
    if length > 20:
        expected = np.broadcast_to(mean.astype(np.float32)[:, None], train[:, :, 20:].shape)
        np.testing.assert_array_equal(train[:, :, 20:], expected)
    assert isinstance(prepared.splits.train.samples.inputs, torch.Tensor) == (rows == "memory")


def test_series_of_one_channel_need_no_axis_for_it(tmp_path: Path) -> None:
    assert surveyed(arrays(tmp_path, signals=SIGNALS[:, 0], labels=CLASS)).shape == [1, 20]
    labels = np.stack([CLASS, 1 - CLASS, CLASS], axis=1)
    assert surveyed(arrays(tmp_path, x=SIGNALS, y=labels)).describe().is_multilabel
    assert surveyed(arrays(tmp_path, x=SIGNALS, y=SIGNALS[:, :, 0])).describe().outputs == 3


@pytest.mark.parametrize(
    ("signals", "options", "message"),
    [
        (np.zeros((50, 2, 3, 4)), {}, r"x has the shape \(50, 2, 3, 4\), which does not fit sig"),
        (np.zeros((50, 9, 9)), {}, "either side of which may be the channels"),
        (SIGNALS, {"series": "id"}, "series does not apply to arrays"),
        (SIGNALS, {"channels": ["x"]}, "channels does not apply to arrays"),
        (SIGNALS, {"recorded": "t"}, "recorded does not apply to arrays"),
        (np.where(SIGNALS > 200, np.nan, SIGNALS), {}, r"x\[\d+\] is not finite"),
    ],
)
def test_arrays_that_are_no_signals_are_faults(
    signals: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        prepare(surveyed(arrays(tmp_path, x=signals, y=CLASS), **options), seed=0)
    assert error.value.faults[0].hint


WAVES = """\
data: {name: signals, path: long.csv, series: id, time: t, target: kind, batch_size: 8}
model: {layers: [conv: {out_channels: 8, kernel_size: 5}, relu, global_avg_pool, linear: classes]}
optimizer: {name: adam, lr: 0.03}
train: {epochs: 30}
"""


def done(quick_cli: Cli, *arguments: str) -> str:
    ran = quick_cli(*arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_series_are_learned_evaluated_and_answered(quick_cli: Cli, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "waves.yaml").write_text(WAVES)
    assert "signals: 31 train, 3 validation, 6 test" in done(quick_cli, "train", "waves.yaml")
    assert json.loads(done(quick_cli, "eval", "runs/waves", "--json"))["accuracy"] == 1
    # rows of two series interleaved; the target is not needed
    some = [row for row in ROWS if row[0] in ("s3", "s8")]
    with (tmp_path / "new.csv").open("w", newline="") as file:
        swapped = sorted([row[1], row[2], row[0]] for row in some)
        csv.writer(file).writerows([["t", "x", "id"], *swapped])
    printed = done(quick_cli, "predict", "runs/waves", "new.csv", "--jsonl").splitlines()
    found = {each["input"]: each["class"] for each in map(json.loads, printed)}
    assert found == {"new.csv: s3": "fast", "new.csv: s8": "slow"}
    np.save(tmp_path / "one.npy", [float(row[2]) for row in ROWS if row[0] == "s3"])
    alone = json.loads(done(quick_cli, "predict", "runs/waves", "one.npy", "--jsonl"))
    assert alone["probabilities"] == json.loads(printed[0])["probabilities"]
    write(tmp_path, some, "other.csv")
    other = quick_cli("eval", "runs/waves", "--data", "other.csv", "--json")
    assert json.loads(other.stdout)["samples"] == 2
    assert "other.csv is not the data of the run: all 2 samples are tested" in other.stderr
    done(quick_cli, "preview", "waves.yaml")
    write(tmp_path, ROWS[1:])
    resumed = quick_cli("train", "--resume", "runs/waves", "train.epochs=31")
    assert resumed.returncode == ExitCode.DATA
    assert "split has changed since the run was started" in resumed.stderr
    (tmp_path / "long.csv").unlink()
    done(quick_cli, "summary", "runs/waves")


@pytest.mark.long
def test_series_can_have_several_targets(quick_cli: Cli, tmp_path: Path) -> None:
    header = [*HEADER, "speed", "tags"]
    rows = [
        [*row, 0.3 + 0.5 * (row[5] == "fast"), "even|low" if int(row[0][1:]) % 4 < 2 else "low"]
        for row in ROWS
    ]
    with (tmp_path / "long.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    (tmp_path / "x.yaml").write_text(
        """\
data:
  name: signals
  path: long.csv
  series: id
  time: t
  targets: {kind: class, speed: values, tags: {name: labels, separator: "|"}}
  batch_size: 8
model:
  layers: [conv: {out_channels: 8, kernel_size: 5}, relu, global_avg_pool, flatten]
  heads:
    kind: {layers: [linear: classes]}
    speed: {layers: [linear: classes], loss: mse}
    tags: {layers: [linear: classes], loss: bce_with_logits}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 30}
""",
        encoding="utf-8",
    )
    trained = quick_cli("train", "x.yaml")
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(quick_cli("eval", "runs/x", "--json").stdout)["heads"]
    assert measured["kind"]["accuracy"] > 0.8
    assert measured["speed"]["r2"] > 0.5
    answered = quick_cli("predict", "runs/x", "long.csv", "--csv")
    assert answered.returncode == 0, answered.stderr
    names, *cells = csv.reader(answered.stdout.splitlines())
    assert len(cells) == 40
    assert any(name.startswith("speed") for name in names)
    config = (tmp_path / "runs" / "x" / "config.yaml").read_text(encoding="utf-8")
    assert "classes: [even, low]" in config
    resumed = quick_cli("train", "--resume", "runs/x", "train.epochs=31")
    assert resumed.returncode == 0, resumed.stderr
    unbroken = quick_cli("train", "x.yaml", "train.epochs=31", "--runs", "others")
    assert unbroken.returncode == 0, unbroken.stderr
    assert_same_state(last(tmp_path / "runs" / "x"), last(tmp_path / "others" / "x"))


def test_arrays_of_signals_can_have_several_targets(tmp_path: Path) -> None:
    level = SIGNALS.mean(axis=2)
    path = arrays(tmp_path, x=SIGNALS, kind=CLASS, level=level)
    data = surveyed(path, targets={"kind": "class", "level": "values"}, validation=0, test=0)
    described = [(each.name, each.kind, each.outputs) for each in data.describe().targets]
    assert described == [("kind", "class", 2), ("level", "values", 3)]
    prepared = prepare(data, seed=0)
    train = prepared.splits.train
    np.testing.assert_allclose(train.target("level"), level.astype(np.float32))
    normal = prepared.data.target_normalizations["level"]
    assert isinstance(normal, Normalize)
    np.testing.assert_allclose(normal.mean, level.mean(axis=0), rtol=1e-5)


def test_labels_of_series_can_be_columns_of_0_and_1(tmp_path: Path) -> None:
    marks = [[*row[:3], int(row[5] == "fast"), row[4], "false"] for row in ROWS]
    labels = {"name": "labels", "columns": ["note", "kind"]}
    with pytest.raises(FaultError, match="no row of the training split has the label kind"):
        in_table(tmp_path, marks, target="auto", targets={"both": labels})
    marks = [[*row[:5], "true"] for row in marks]
    data = in_table(tmp_path, marks, target="auto", targets={"both": labels}, test=0, validation=0)
    targets = prepare(data, seed=0).splits.train.target("both")
    assert targets.sum(dim=0).tolist() == [20, 40]
    marks[7][5] = "yes"
    with pytest.raises(FaultError, match="yes differs from 'true'"):
        in_table(tmp_path, marks, target="auto", targets={"both": labels})


def test_a_target_that_changes_within_a_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="differs from") as error:
        in_table(tmp_path, target="auto", targets={"kind": "class", "x": "values"})
    assert error.value.exit_code is ExitCode.DATA
