"""`init`, then what it recommends, on made arrays."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnnctl.config.parsing import parse
from cnnctl.console import Screen
from cnnctl.data.sources.arrays import ArraySet
from cnnctl.errors import ExitCode
from cnnctl.proposals.sample_facts import SampleFacts, gather
from cnnctl.proposals.sample_report import render
from cnnctl.proposals.signal_learning import layers
from tests.conftest import Cli, invoke

RNG = np.random.default_rng(0)
Arrays = dict[str, Any]


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def noise(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(size=shape).astype(np.float32)


def classes(count: int, of: int = 2) -> NDArray[np.int64]:
    return np.arange(count) % of


def written(file: str) -> str:
    """A file with single blanks."""
    return " ".join(Path(file).read_text(encoding="utf-8").split())


def facts_of(**arrays: Any) -> SampleFacts:
    np.savez("data.npz", **arrays)
    return gather(Path("data.npz"), ArraySet(path="data.npz"))


def rendered(facts: SampleFacts) -> str:
    console = Screen(width=1000)
    with console.capture() as captured:
        console.print(render(facts, []))
    return captured.get()


PICTURES = RNG.integers(0, 256, (60, 12, 12, 3), np.uint8)
KINDS: dict[str, tuple[Arrays, str]] = {
    "images": ({"x": PICTURES, "y": classes(60)}, "zoo: resnet9"),
    "signals": ({"x": noise(60, 2, 40), "y": classes(60)}, "conv: {out_channels: 32"),
    "vectors": ({"x": noise(60, 5), "y": classes(60)}, "[{linear: classes}]"),
    "labels": ({"x": noise(1200, 5), "y": (noise(1200, 3) > 0).astype(int)}, "bce_with_logits"),
    "values": ({"x": noise(1200, 5), "y": noise(1200, 2)}, "{linear: 2}"),
    "values of images": ({"x": PICTURES, "y": noise(60)}, "loss: mse"),
    "four channels": ({"x": noise(60, 4, 12, 12), "y": classes(60)}, "zoo: resnet9"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_trains_and_predicts(kind: str, quick_cli: Cli, tmp_path: Path) -> None:
    arrays, expected = KINDS[kind]
    np.savez(tmp_path / "data.npz", **arrays)
    done = quick_cli("init", "data.npz")
    assert done.returncode == 0, done.stderr
    assert expected in Path("data.yaml").read_text(encoding="utf-8")
    assert quick_cli("check", "data.yaml").stdout == "data.yaml: no problems found\n"
    trained = quick_cli("train", "data.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert quick_cli("eval", "runs/data").returncode == 0
    np.save("new.npy", arrays["x"][:3])
    answered = quick_cli("predict", "runs/data", "new.npy", "--jsonl")
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == 3


def test_a_file_of_a_folder_stands_for_the_folder(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    np.save("scans/x.npy", noise(60, 5))
    np.save("scans/y.npy", classes(60))
    for source, file in (("scans", "scans.yaml"), ("scans/x.npy", "x.yaml")):
        assert invoke("init", source).exit_code == 0
        data = parse(Path(file).read_text(encoding="utf-8"), origin=file).child("data")
        assert data
        path = data.child("path")
        assert path
        assert path.value == "scans"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("scans", ("scans", "labels")),
        ("scans_train", ("scans_train", "scans_test", "y_train", "y_test")),
        ("train_images", ("train_images", "train_labels", "test_images", "test_labels")),
        ("b", ("b", "x", "y")),
    ],
)
def test_a_single_array_is_the_inputs_of_the_targets_beside_it(
    given: str, names: tuple[str, ...]
) -> None:
    for name in names:
        is_target = "y" in name or "labels" in name
        np.save(f"{name}.npy", classes(60)[:, None] if is_target else noise(60, 5))
    done = invoke("init", f"{given}.npy", "-o", "new.yaml")
    assert done.exit_code == 0, done.stderr
    assert invoke("check", "new.yaml").stdout == "new.yaml: no problems found\n"
    data = parse(Path("new.yaml").read_text(encoding="utf-8"), origin="new.yaml").child("data")
    assert data
    inputs = data.child("inputs")
    assert inputs
    assert inputs.value == given.removesuffix("_train").removeprefix("train_")


def test_an_array_without_targets_beside_it_is_refused_with_what_is_there() -> None:
    np.save("scans.npy", noise(60, 5))
    refused = invoke("init", "scans.npy")
    assert refused.exit_code == ExitCode.DATA
    assert "has no array that is recognised as targets among scans" in refused.stderr
    assert "save the targets with it, named y or labels: one for each sample" in refused.stderr
    np.save("kind.npy", classes(60))
    assert invoke("init", "scans.npy").exit_code == 0
    text = written("scans.yaml")
    assert "target: kind # the only other array" in text


def test_arrays_of_unknown_names_are_told_apart_by_their_shape() -> None:
    Path("lab").mkdir()
    np.save("lab/scans.npy", noise(60, 5))
    np.save("lab/place.npy", noise(60, 2))
    np.save("lab/patient_id.npy", classes(60, of=30))
    np.save("lab/age.npy", noise(60))
    assert invoke("init", "lab").exit_code == 0
    text = written("lab.yaml")
    assert "inputs: scans # has the most numbers per sample" in text
    assert "target: place # the last array; choose another with --target" in text
    np.save("lab/waves.npy", noise(60, 5))
    refused = invoke("init", "lab", "-o", "other.yaml")
    assert "no array that is recognised as inputs among age, patient_id, place" in refused.stderr
    assert "give it: cnnctl init lab/NAME.npy" in refused.stderr


SEVERAL: dict[str, tuple[Arrays, str]] = {
    "images": ({"images": PICTURES}, "  zoo: resnet9"),
    "signals": ({"x": noise(60, 2, 40)}, "  layers:"),
    "vectors": ({"scans": noise(60, 5)}, "  layers: [flatten]"),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_targets_get_a_head_each(kind: str, quick_cli: Cli) -> None:
    arrays, expected = SEVERAL[kind]
    targets: Arrays = {"labels": classes(60), "age": noise(60), "bits": noise(60, 3) > 0}
    np.savez("data.npz", **arrays, **targets)
    done = quick_cli("init", "data.npz", "--target", "labels,age", "--target", "bits")
    assert done.returncode == 0, done.stderr
    assert "classes of labels: 2 (0 30, 1 30)" in done.stdout
    text = Path("data.yaml").read_text(encoding="utf-8")
    assert "targets: {labels: class, age: values, bits: labels}  # named on the command" in text
    assert expected in text
    assert quick_cli("check", "data.yaml").stdout == "data.yaml: no problems found\n"
    trained = quick_cli("train", "data.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(quick_cli("eval", "runs/data", "--json").stdout)
    assert measured["heads"].keys() == targets.keys()
    np.save("new.npy", next(iter(arrays.values()))[:3])
    assert quick_cli("predict", "runs/data", "new.npy", "--jsonl").returncode == 0


def test_a_usual_name_is_preferred() -> None:
    np.savez("data.npz", x=noise(60, 5), images=PICTURES, label=noise(60), y=classes(60))
    assert invoke("init", "data.npz").exit_code == 0
    text = written("data.yaml")
    assert "inputs: x # the most common name among x, images" in text
    assert "target: y # the most common name among y, label" in text


@pytest.mark.parametrize(("kind", "file"), [("zip", "scans.zip"), ("gztar", "scans.tar.gz")])
def test_an_archive_of_arrays_is_read_in_place(
    kind: str, file: str, quick_cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    np.save("scans/x.npy", noise(60, 5))
    np.save("scans/y.npy", classes(60))
    shutil.make_archive("scans", kind, tmp_path, "scans")
    done = quick_cli("init", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{file}: 2 arrays (x 60x5 float32, y 60 int64)\n")
    assert quick_cli("check", "scans.yaml").stdout == "scans.yaml: no problems found\n"
    trained = quick_cli("train", "scans.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert quick_cli("eval", "runs/scans").returncode == 0
    assert quick_cli("predict", "runs/scans", file, "--jsonl").returncode == 0


@pytest.mark.parametrize(
    ("names", "compression", "message", "hint"),
    [
        (
            ["x.npy"],
            zipfile.ZIP_BZIP2,
            "x is compressed in a way that NumPy",
            "archive the .npy files",
        ),
        (["x.npy"], None, "x.npy: is encrypted", "archive the .npy files again"),
        (["a/x.npy", "b/x.npy"], zipfile.ZIP_STORED, "two arrays of the name x", "x_train and x_"),
        (["a/data.npz"], zipfile.ZIP_STORED, "holds .npz files", "unpack it, and give one of them"),
    ],
)
def test_archives_of_other_forms_are_refused(
    names: list[str], compression: int | None, message: str, hint: str
) -> None:
    np.save("x.npy", noise(60, 5))
    with zipfile.ZipFile("data.zip", "w", compression or zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.write("x.npy", name)
    if compression is None:  # zipfile writes none that are encrypted
        content = bytearray(Path("data.zip").read_bytes())
        content[content.index(b"PK\x01\x02") + 8] |= 1
        Path("data.zip").write_bytes(content)
    refused = invoke("init", "data.zip")
    assert refused.exit_code == ExitCode.DATA
    assert message in refused.stderr
    assert hint in refused.stderr


def test_numbers_that_are_not_finite_are_counted() -> None:
    x = noise(60, 5)
    x[[7, 9, 30], 1] = np.nan
    np.savez("data.npz", x=x, y=classes(60))
    refused = invoke("init", "data.npz")
    assert refused.exit_code == ExitCode.DATA
    assert "x[7] is not finite: it has nan, as 2 more of 60 samples do" in refused.stderr


def test_what_is_odd_is_told() -> None:
    x = noise(100, 4)
    x[:, 2] = 3
    x[7] = x[8] = x[9]
    facts = facts_of(x_train=x, y_train=classes(100), x_test=x[9:19], y_test=classes(10))
    assert (facts.constant, facts.copies, facts.torn) == ([2], 12, 10)
    text = rendered(facts)
    assert "splits: 100 train, 10 test" in text
    assert "note: 1 feature is constant: 2" in text
    assert "warning: equal samples in both train and test inflate the results: 10 samples" in text


def test_rare_classes_are_weighted() -> None:
    assert "balance: 0 has 4.0 times as many samples as 1; the loss weights them" in rendered(
        facts_of(x=noise(100, 4), y=np.repeat([0, 1], [80, 20]))
    )
    assert invoke("init", "data.npz").exit_code == 0
    assert "weight: balanced" in Path("data.yaml").read_text(encoding="utf-8")


def test_counts_in_the_comments_are_those_of_training(quick_cli: Cli) -> None:
    np.savez("data.npz", x=noise(2000, 4), y=classes(2000))
    assert invoke("init", "data.npz").exit_code == 0
    text = Path("data.yaml").read_text(encoding="utf-8")
    assert "340 training samples" in text
    assert "300 samples held out" in text
    assert "wide enough for 1,360 rows" in text
    trained = quick_cli("train", "data.yaml", "train.epochs=1")
    assert "arrays: 1,360 train, 340 validation, 300 test" in trained.stdout


def test_signals_are_pooled_while_they_are_long_enough() -> None:
    assert layers(5, outputs=1) == [
        {"conv": {"out_channels": 32, "kernel_size": 3, "padding": 1, "bias": False}},
        *("batch_norm", "relu", "global_avg_pool", "flatten"),
        *({"dropout": 0.2}, {"linear": 1}),
    ]
    assert layers(1000, outputs="classes").count({"max_pool": 2}) == 3


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": noise(9, 4)}, [], "save the targets with it, named y or labels"),
        ({"a": classes(9), "y": classes(9)}, [], "save the inputs under one of the names x, in"),
        ({"x": noise(9, 4), "y": classes(9)}, ["--target", "z"], "has no array z"),
        ({"x": noise(9, 4), "y": classes(9)}, ["--target", "y,z"], "has no array z"),
        ({"x": noise(9, 4), "y": classes(9)}, ["--target", "y,y"], "array y is named twice"),
        (
            {"x": noise(9, 4), "x_test": noise(9, 4), "y": classes(9)},
            [],
            "give one of them another",
        ),
        ({"x": np.full((9, 4), np.nan), "y": classes(9)}, [], "x[0] is not finite"),
        ({"x": noise(9, 4), "y": classes(9)}, ["--pretrained"], "leave --pretrained out"),
    ],
)
def test_arrays_that_teach_nothing_are_refused(
    arrays: Arrays, options: list[str], message: str
) -> None:
    np.savez("data.npz", **arrays)
    done = invoke("init", "data.npz", *options)
    assert done.exit_code in (ExitCode.USAGE, ExitCode.DATA)
    assert message in done.stderr
    assert not Path("data.yaml").exists()


def test_broken_files_are_faults() -> None:
    Path("data.npz").write_bytes(b"PK\x03\x04 broken")
    assert invoke("init", "data.npz").exit_code == ExitCode.DATA
    Path("x.npy").write_bytes(b"no array")
    assert invoke("init", "x.npy").exit_code == ExitCode.DATA
