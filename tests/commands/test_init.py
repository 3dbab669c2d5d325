"""`init`, then what it recommends, as processes, on made pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision import models

from cnnctl.config.parsing import parse
from cnnctl.errors import ExitCode
from cnnctl.model.weights_file import read_weights
from cnnctl.shipped import experiments
from tests import warm
from tests.conftest import Cli, environment, invoke
from tests.data.pictures.test_similarity import photo, saved
from tests.data.sources.test_image_folder import SPLIT, noise, spoil, write


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def values(file: str) -> dict[str, object]:
    text = Path(file).read_text(encoding="utf-8")
    data = parse(text, origin=file).child("data")
    assert data
    assert isinstance(data.value, dict)
    return {key: node.value for key, node in data.value.items()}


@pytest.fixture
def cli(quick_cli: Cli) -> Cli:
    """Run commands in-process, but where a test starts one by itself."""
    return quick_cli


def accepted(cli: Cli, file: str) -> None:
    """Check that a file has neither faults nor advice."""
    checked = cli("check", file)
    assert checked.stdout == f"{file}: no problems found\n"
    assert all(line.startswith("note: ") for line in checked.stderr.splitlines()), checked.stderr


def test_what_is_written_trains_as_it_stands(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pets", SPLIT)
    done = warm.run(["init", "pets"], cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("wrote pets.yaml\nnext: cnnctl train pets.yaml\n")
    assert "pets: 22 pictures in 2 classes" in done.stdout
    accepted(cli, "pets.yaml")
    trained = cli("train", "pets.yaml", "train.epochs=1", "model.width=8")
    assert trained.returncode == 0, trained.stderr
    assert "image_folder: 12 train, 4 validation, 6 test" in trained.stdout


def test_names_with_blanks_and_signs_are_quoted(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "Tiere: [alle] #1 猫\n"
    write(folder, {"big cat: #1": 40, "- 'Hündin'": 40})
    (tmp_path / "out").mkdir()
    done = cli("init", folder, "-o", "out/my own.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("wrote out/my own.yaml\nnext: cnnctl train 'out/my own.yaml'\n")
    assert values("out/my own.yaml")["path"] == f"../in/{folder.name}"
    accepted(cli, "out/my own.yaml")


def test_rare_classes_weigh_more(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pets", {"cat": 61, "dog": 20})
    assert "cat has 3.0 times as many pictures as dog; the loss" in cli("init", "pets").stdout
    text = Path("pets.yaml").read_text(encoding="utf-8")
    assert "loss: {name: cross_entropy, weight: balanced}" in text
    assert "monitor: balanced_accuracy" in text
    accepted(cli, "pets.yaml")
    write(tmp_path / "even", {"cat": 60, "dog": 20})
    assert cli("init", "even").returncode == 0
    assert "balanced" not in Path("even.yaml").read_text(encoding="utf-8")


def test_broken_pictures_are_named_and_skipped(cli: Cli, tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 40, "dog": 40})
    spoil(root)
    done = cli("init", "pets")
    assert "warning: 3 pictures cannot be decoded and will be skipped" in done.stdout
    for name in ("cat/000.png: is empty", "dog/001.png: ", "dog/003.png: is not a picture"):
        assert name in done.stdout
    assert values("pets.yaml")["on_error"] == "skip"
    accepted(cli, "pets.yaml")
    trained = cli("train", "pets.yaml", "train.epochs=1", "model.width=8")
    assert trained.returncode == 0, trained.stderr


def test_equal_pictures_are_found_within_and_across_splits_and_classes(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", SPLIT)
    shutil.copy(root / "train/cat/000.png", root / "train/cat/copy.png")
    shutil.copy(root / "train/cat/001.png", root / "test/cat/copy.png")
    shutil.copy(root / "train/cat/002.png", root / "train/dog/copy.png")
    found = invoke("init", "pets").stdout
    assert "note: 3 duplicate files" in found
    assert "several splits inflate the results: 1 in train and test" in found
    assert "test/cat/copy.png = train/cat/001.png" in found
    assert "warning: 1 picture with several classes" in found
    assert "train/cat/002.png = train/dog/copy.png" in found


def test_equal_pictures_are_kept_together_where_splits_are_cut_off(
    cli: Cli, tmp_path: Path
) -> None:
    root = write(tmp_path / "pets", {"cat": 30, "dog": 30}, height=24, width=24)
    for number in range(5):
        shutil.copy(root / f"cat/00{number}.png", root / f"cat/copy{number}.png")
    found = cli("init", "pets").stdout
    assert "note: 5 duplicate files" in found
    assert "note: group_copies keeps files with equal content in one split" in found
    assert values("pets.yaml")["group_copies"] is True
    accepted(cli, "pets.yaml")
    text = Path("pets.yaml").read_text(encoding="utf-8")
    assert "# keeps 5 duplicate files in the split of the original\n" in text
    [result] = json.loads(cli("check", "--data", "pets.yaml", "--json").stdout)
    [identical] = [each for each in result["data"] if each["check"] == "identical samples"]
    assert identical["numbers"] == {"across_splits": 0, "within_splits": 5}


def test_given_splits_are_not_changed_for_copies(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", SPLIT)
    shutil.copy(root / "train/cat/001.png", root / "test/cat/copy.png")
    assert "group_copies" not in invoke("init", "pets").stdout
    assert "group_copies" not in values("pets.yaml")


def test_nearly_identical_pictures_are_named(tmp_path: Path) -> None:
    for name in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(6):
            picture = photo(hash_of(name) + number, side=48)
            picture.save(tmp_path / "pets" / name / f"{number}.png")
    saved(photo(hash_of("train/cat"), side=48), 60).save(tmp_path / "pets/test/cat/again.png")
    saved(photo(hash_of("train/dog"), side=96), 90).save(tmp_path / "pets/train/dog/again.png")
    found = invoke("init", "pets").stdout
    assert "note: 2 pictures nearly identical to another" in found
    assert (
        "nearly identical pictures in several splits inflate the results: 1 in train and" in found
    )
    assert "test/cat/again.png ~ train/cat/0.png" in found or (
        "train/cat/0.png ~ test/cat/again.png" in found  # whichever is read later
    )


def hash_of(name: str) -> int:
    return 10 * sum(name.encode())


def test_files_that_are_not_used_are_named(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    (root / "cat" / "notes\x1b.txt").touch()
    write(tmp_path / "pets", {".": 1})
    found = invoke("init", "pets").stdout
    assert "note: 2 files not used" in found
    assert "cat/notes\\x1b.txt: is not a picture" in found
    assert "000.png: is not in a class folder" in found


def test_an_archive_is_named_without_its_suffixes(cli: Cli, tmp_path: Path) -> None:
    folder = write(tmp_path / "all" / "pets", {"cat": 20, "dog": 20})
    shutil.make_archive(str(tmp_path / "pets"), "gztar", folder.parent)
    assert cli("init", "pets.tar.gz").returncode == 0
    assert values("pets.yaml")["path"] == "pets.tar.gz"
    accepted(cli, "pets.yaml")


def test_the_data_is_left_as_it_was(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", SPLIT)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert invoke("init", root, "-o", "a.yaml").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_shipped_experiment_is_copied() -> None:
    done = invoke("init", "lenet")
    assert done.stdout == "wrote lenet.yaml\nnext: cnnctl train lenet.yaml\n"
    assert Path("lenet.yaml").read_bytes() == experiments()["lenet"].read_bytes()
    assert invoke("init", "lenet", "-o", "mine.yml").exit_code == 0
    assert Path("mine.yml").read_bytes() == experiments()["lenet"].read_bytes()


def test_a_folder_goes_before_a_shipped_experiment(tmp_path: Path) -> None:
    write(tmp_path / "lenet", {"cat": 20, "dog": 20})
    assert invoke("init", "lenet").exit_code == 0
    assert values("lenet.yaml")["path"] == "lenet"


@pytest.mark.parametrize("is_link", [False, True])
def test_no_file_is_overwritten(is_link: bool, tmp_path: Path) -> None:
    write(tmp_path / "pets", SPLIT)
    if is_link:
        Path("pets.yaml").symlink_to("nowhere")
    else:
        Path("pets.yaml").write_text("mine", encoding="utf-8")
    done = invoke("init", "pets")
    assert (done.exit_code, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == "pets.yaml: already exists\n    write another one with -o FILE\n"
    assert Path("pets.yaml").is_symlink() == is_link
    assert is_link or Path("pets.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("place", ["missing", "file"])
def test_a_folder_that_cannot_be_written_is_a_storage_fault(place: str, tmp_path: Path) -> None:
    write(tmp_path / "pets", SPLIT)
    Path("file").touch()
    done = invoke("init", "pets", "-o", f"{place}/pets.yaml")
    assert done.exit_code == ExitCode.STORAGE
    assert f"{place}/pets.yaml: cannot be written" in done.stderr
    assert "choose another file with -o FILE" in done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("pest", "pets"), ("lenett", "lenet")])
def test_a_path_that_is_not_there_brings_the_nearest_names(
    typed: str, meant: str, tmp_path: Path
) -> None:
    (tmp_path / "pets").mkdir()
    done = invoke("init", typed)
    assert done.exit_code == ExitCode.USAGE
    assert f"{typed}: no such file, folder or shipped experiment" in done.stderr
    assert f"did you mean {meant}?" in done.stderr


@pytest.mark.parametrize("name", ["data.docx", "data.h5", "word"])
def test_what_no_proposer_takes_is_refused(name: str) -> None:
    Path(name).touch()
    done = invoke("init", name)
    assert done.exit_code == ExitCode.USAGE
    assert "files are not supported yet" in done.stderr
    assert "of pictures in class folders" in done.stderr


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "has no pictures among 0 files"),
        ({"cat": 5}, "has pictures of only one class, cat"),
        ({"train/cat": 5, "train/dog": 5, "test/dgo": 5}, "the test split has a class dgo"),
        ({"cat": 5, "dog": 2}, "class dog has 2 of the 3 pictures that it needs"),
        ({"train/cat": 5, "train/dog": 1}, "class dog has 1 of the 2 pictures that it needs"),
    ],
)
def test_data_that_teaches_nothing_is_refused(
    counts: dict[str, int], message: str, tmp_path: Path
) -> None:
    (tmp_path / "pets").mkdir()
    write(tmp_path / "pets", counts)
    done = invoke("init", "pets")
    assert done.exit_code == ExitCode.DATA
    assert message in done.stderr
    assert not Path("pets.yaml").exists()


def test_pictures_have_no_target_column(tmp_path: Path) -> None:
    write(tmp_path / "pets", SPLIT)
    done = invoke("init", "pets", "--target", "species")
    assert done.exit_code == ExitCode.USAGE
    assert "leave --target out" in done.stderr


@pytest.mark.parametrize("count", [4, 16, 25, 33, 41, 57])
def test_any_number_of_pictures_gets_a_config_without_advice(
    count: int, cli: Cli, tmp_path: Path
) -> None:
    write(tmp_path / "pets", {"cat": count, "dog": count})
    done = cli("init", "pets")
    assert done.returncode == 0, done.stderr
    accepted(cli, "pets.yaml")


def test_large_pictures_are_made_small_enough_to_train_in_time(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pets", {"cat": 20, "dog": 20}, height=300, width=260)
    assert cli("init", "pets").returncode == 0
    assert "random_resized_crop" in Path("pets.yaml").read_text(encoding="utf-8")
    accepted(cli, "pets.yaml")


def test_too_many_broken_pictures_are_left_to_the_user(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 6, "dog": 6})
    spoil(root)
    done = invoke("init", "pets")
    warning = "3 pictures cannot be decoded and will stop training; repair or delete them"
    assert warning in done.stdout
    assert "on_error" not in values("pets.yaml")


@pytest.mark.parametrize(("archive", "file"), [("v1.2.zip", "v1.2.yaml"), ("A.TGZ", "A.yaml")])
def test_only_the_suffix_of_an_archive_is_dropped(archive: str, file: str, tmp_path: Path) -> None:
    write(tmp_path / "all", {"cat": 20, "dog": 20})
    kind = "zip" if archive.endswith(".zip") else "gztar"
    Path(shutil.make_archive("made", kind, "all")).rename(archive)
    assert invoke("init", archive).exit_code == 0
    assert values(file)["path"] == archive


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path / "pets", {"cat": 20, "dog": 20}))
    assert invoke("init", ".").exit_code == 0
    assert values("pets.yaml")["path"] == "."


def test_grey_pictures_keep_one_channel(cli: Cli, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "grey" / name).mkdir(parents=True)
        for number in range(20):
            picture = Image.fromarray(noise(number)).convert("L")
            picture.save(tmp_path / "grey" / name / f"{number}.jpg")
    assert "modes: 40 L" in cli("init", "grey").stdout
    assert values("grey.yaml")["mode"] == "L"
    accepted(cli, "grey.yaml")


def test_digits_are_not_mirrored(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "digits", {"0": 20, "1": 21})
    done = cli("init", "digits")
    assert "balance: 1 has 1.1 times as many pictures as 0\n" in done.stdout
    text = Path("digits.yaml").read_text(encoding="utf-8")
    assert "# no mirroring: a mirrored 0 may mean something else" in text
    assert "flip" not in text
    accepted(cli, "digits.yaml")


@pytest.mark.long
def test_few_pictures_train_the_classifier_of_a_network_whose_weights_are_there(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    weights = models.mobilenet_v3_small().state_dict()
    torch.save(weights, folder / "mobilenet_v3_small-047dcff4.pth")
    write(tmp_path / "pets", SPLIT)
    assert cli("init", "pets").returncode == 0
    text = Path("pets.yaml").read_text(encoding="utf-8")
    assert "model: {torchvision: mobilenet_v3_small, weights: DEFAULT, freeze: backbone}" in text
    assert (values("pets.yaml")["size"], values("pets.yaml")["mode"]) == (224, "RGB")
    accepted(cli, "pets.yaml")
    trained = cli("train", "pets.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert "loaded weights" in trained.stdout
    before = weights["features.0.0.weight"]
    state = read_weights(Path("runs/pets/checkpoints/best.safetensors"))
    [after] = (each for name, each in state.items() if name.endswith("features.0.0.weight"))
    assert torch.equal(after, before)


def test_weights_that_would_be_downloaded_are_offered_and_written_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    write(tmp_path / "pets", SPLIT)
    assert invoke("init", "pets").exit_code == 0
    text = Path("pets.yaml").read_text(encoding="utf-8")
    assert "`init --pretrained` starts from ImageNet weights" in text
    assert invoke("init", "pets", "--pretrained", "-o", "b.yaml").exit_code == 0
    assert "weights: DEFAULT" in Path("b.yaml").read_text(encoding="utf-8")
    assert not (tmp_path / "torch").exists()


def test_tables_have_no_pretrained_weights(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    done = invoke("init", "a.csv", "--pretrained")
    assert done.exit_code == ExitCode.USAGE
    assert "leave --pretrained out" in done.stderr
