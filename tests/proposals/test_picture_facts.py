from pathlib import Path

import pytest

from cnnctl.console import Screen
from cnnctl.data.pictures import trial
from cnnctl.proposals import picture_facts, picture_report
from cnnctl.proposals.picture_facts import gather
from tests.data.sources.test_image_folder import SPLIT, write


def rendered(facts: picture_facts.PictureFacts) -> str:
    console = Screen(width=1000)
    with console.capture() as captured:
        console.print(picture_report.render(facts))
    return captured.get()


def test_pictures_are_counted_and_measured(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 6}, height=10, width=20)
    write(root, {"dog": 4}, height=30, width=8)
    facts = gather(root)
    assert facts.counts == {"all": {"cat": 6, "dog": 4}}
    assert facts.imbalance == 1.5
    assert sorted(facts.scan.sizes) == [(10, 20)] * 6 + [(30, 8)] * 4
    assert facts.scan.modes == {"RGB": 10}
    assert (facts.scan.read, facts.scan.decoded) == (10, 10)
    text = rendered(facts)
    assert "sizes: width 8 20 20, height 10 10 30 (min, median, max)" in text
    assert "balance: cat has 1.5 times as many pictures as dog\n" in text


def test_classes_of_about_one_size_are_not_compared(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 41, "dog": 40})
    assert "balance: all classes have 40 to 41 pictures\n" in rendered(gather(root))


def test_splits_are_counted_apart(tmp_path: Path) -> None:
    facts = gather(write(tmp_path / "pets", SPLIT))
    assert facts.counts == {
        "train": {"cat": 6, "dog": 6},
        "validation": {"cat": 2, "dog": 2},
        "test": {"cat": 3, "dog": 3},
    }
    assert facts.imbalance == 1
    table = [line.split() for line in rendered(facts).splitlines()]
    assert ["class", "train", "validation", "test"] in table
    assert ["all", "12", "4", "6"] in table


def test_of_too_many_files_an_even_sample_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    monkeypatch.setattr(picture_facts, "READ_FILES", 10)
    facts = gather(root)
    assert facts.scan.read == 10
    assert facts.counts["all"].total() == 40
    assert "read: an even sample of 10" in rendered(facts)


def test_of_too_many_pixels_only_headers_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    monkeypatch.setattr(trial, "DECODED_PIXELS", 10 * 64)
    facts = gather(root)
    assert (facts.scan.read, facts.scan.decoded) == (40, 10)
    assert "decoded: 10; for the others, only the headers" in rendered(facts)


def test_many_classes_are_shortened(tmp_path: Path) -> None:
    text = rendered(gather(write(tmp_path / "many", {f"class{n:02}": 3 for n in range(40)})))
    assert "… 25 more" in text
    assert sum(line.startswith("class") for line in text.splitlines()) == 16


def test_without_a_test_split_none_is_made_of_validation(tmp_path: Path) -> None:
    counts = {name: count for name, count in SPLIT.items() if not name.startswith("test")}
    text = rendered(gather(write(tmp_path / "pets", counts)))
    assert "note: no test split" in text
