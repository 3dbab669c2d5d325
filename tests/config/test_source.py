import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnctl.config.nodes import Node, Place, follow, from_plain, locate
from cnnctl.config.source import MAX_BYTES, overlay, parse, read_file, read_source
from cnnctl.errors import Fault, FaultError

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a file into a folder of its own, in which everything is then named."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path: Path) -> str:
    with pytest.raises(FaultError) as raised:
        read_source(path)
    [found] = raised.value.faults
    assert found.hint
    return str(found)


def test_a_file_is_read_with_its_places(write: Write) -> None:
    root = read_source(write("a.yaml", "train:\n  epochs: 3\n"))
    assert root.plain() == {"train": {"epochs": 3}}
    node, rest = follow(root, ("train", "epochs", "more"))
    assert (str(node.place), rest) == ("a.yaml:2:11", ("more",))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_change_nothing(
    tmp_path: Path, encoding: str, newline: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(f"name: größe{newline}seed: 1{newline}".encode(encoding))
    root = read_file(path)
    assert root.plain() == {"name": "größe", "seed": 1}
    assert str(follow(root, ("seed",))[0].place) == f"{path}:2:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: is empty"),
        ("# nothing\n", "a.yaml: is empty"),
        ("- a\n", "a.yaml:1:1: is a list"),
        ("just words\n", "a.yaml:1:1: is a single value"),
        ("3\n", "a.yaml:1:1: is a single value"),
    ],
)
def test_what_is_no_mapping_is_refused(write: Write, text: str, message: str) -> None:
    found = refused(write("a.yaml", text))
    assert found.startswith(f"{message}\n")
    assert "an experiment is a mapping with data, model" in found


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path}: is a folder, not a file\n    give a YAML file in it"


def test_a_missing_file_is_refused_and_a_near_one_named(write: Write) -> None:
    write("configs/lenet.yaml", "a: 1")
    assert refused(Path("configs/lenett.yaml")).endswith("did you mean configs/lenet.yaml?")
    assert refused(Path("configs/lenet")).endswith("did you mean configs/lenet.yaml?")
    assert refused(Path("configs/mobile.yaml")).endswith("check the path")
    assert refused(Path("nowhere/lenet.yaml")).endswith("check the path")
    assert refused(Path("configs/lenet.yaml/x")).endswith("check the path and its permissions")


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\x00\xff", "name: a".encode("utf-16")])
def test_a_binary_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    assert refused(path) == f"{path}: is not a text file\n    save it as YAML, in UTF-8"


def test_a_large_file_is_refused(write: Write) -> None:
    fitting = "# " + "x" * (MAX_BYTES - 8) + "\na: 1\n"
    assert read_source(write("a.yaml", fitting)).plain() == {"a": 1}
    assert "is too large\n    a configuration has at most 256 KiB" in refused(
        write("b.yaml", fitting + "#")
    )


def test_an_unreadable_file_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = write("a.yaml", "a: 1")
    monkeypatch.setattr(os, "open", deny)
    assert "cannot be read: Permission denied\n    check the path and its perm" in refused(path)


def test_a_file_is_laid_over_its_base(write: Write) -> None:
    write("common/base.yaml", "seed: 1\ntrain: {epochs: 3, device: cpu}\nlayers: [a, b]\n")
    root = read_source(write("a.yaml", "base: common/base.yaml\ntrain: {epochs: 5}\nlayers: [c]\n"))
    assert root.plain() == {
        "seed": 1,
        "train": {"epochs": 5, "device": "cpu"},
        "layers": ["c"],
    }
    places = {name: str(follow(root, ("train", name))[0].place) for name in ("epochs", "device")}
    assert places == {"epochs": "a.yaml:2:17", "device": "common/base.yaml:2:28"}


def test_a_base_has_a_base(write: Write) -> None:
    write("one.yaml", "a: 1\nb: 1\nc: 1\n")
    write("deep/two.yaml", "base: ../one.yaml\nb: 2\nc: 2\n")
    root = read_source(write("three.yaml", "base: deep/two.yaml\nc: 3\n"))
    assert root.plain() == {"a": 1, "b": 2, "c": 3}
    layers = [follow(root, (key,))[0].layer for key in "abc"]
    assert layers == sorted(set(layers))


def test_a_name_alone_counts_as_a_section(write: Write) -> None:
    write("base.yaml", "optimizer: sgd\nloss: {name: mse, reduction: sum}\n")
    root = read_source(write("a.yaml", "base: base.yaml\noptimizer: {lr: 0.1}\nloss: mae\n"))
    assert root.plain() == {"optimizer": {"name": "sgd", "lr": 0.1}, "loss": "mae"}


def test_base_files_in_a_circle_are_refused(write: Write) -> None:
    write("a.yaml", "base: b.yaml\n")
    write("b.yaml", "x: 1\nbase: ./a.yaml\n")
    assert refused(Path("a.yaml")).startswith("b.yaml:2:7: the base files form a cycle\n")
    assert "form a cycle" in refused(write("c.yaml", "base: c.yaml\n"))


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "a.yaml"
    link.symlink_to(link)
    assert "cannot be read" in refused(link)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("base: bass.yaml\n", "a.yaml:1:7: base: bass.yaml: no such file"),
        ("x: 1\nbase: folder\n", "a.yaml:2:7: base: folder: is a folder"),
        ("base: empty.yaml\n", "a.yaml:1:7: base: empty.yaml: is empty"),
        ("base: [b.yaml]\n", "a.yaml:1:7: base must be the path of another YAML file"),
        ("base:\n", "a.yaml:1:6: base must be the path of another YAML file"),
        ("base: list.yaml\n", "list.yaml:2:1: is a list"),
        ("base: broken.yaml\n", "broken.yaml:2:3: a is given twice"),
    ],
)
def test_a_base_that_cannot_be_read_is_refused(write: Write, text: str, place: str) -> None:
    write("basis.yaml", "a: 1")
    write("empty.yaml", "")
    write("list.yaml", "\n- a\n")
    write("broken.yaml", "x: {a: 1,\n  a: 2}\n")
    write("folder/x.yaml", "a: 1")
    found = refused(write("a.yaml", text))
    assert found.startswith(place)
    if "bass.yaml" in place:
        assert found.endswith("did you mean basis.yaml?")


def test_an_overlay_leaves_both_as_they_were() -> None:
    lower, upper = (parse(text, origin="x") for text in ("{a: {b: 1}}", "{a: {c: 2}}"))
    assert overlay(lower, upper).plain() == {"a": {"b": 1, "c": 2}}
    assert (lower.plain(), upper.plain()) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_a_fault_is_placed_at_its_key_its_value_or_what_is_around_it() -> None:
    root = parse("a:\n  b: [1]\n", origin="x")
    placed = {
        "x:2:3": Fault(message="", path=("a", "b"), at_key=True),
        "x:2:6": Fault(message="", path=("a", "b")),
        "x:2:7": Fault(message="", path=("a", "b", 0)),
        "x:1:1": Fault(message="", path=("c", "d")),
    }
    assert [str(locate(root, fault)) for fault in placed.values()] == list(placed)
    assert locate(root, Fault(message="", path=("a", "b", 7))) == Place("x", 2, 6)
    assert locate(root, Fault(message="", path=("a", "c"), at_key=True)) == Place("x", 2, 3)


def test_plain_data_becomes_nodes_of_one_place() -> None:
    data = {"a": [1, {"b": None}], "c": "x"}
    root = from_plain(data, Place("run"))
    assert root.plain() == data
    node, _ = follow(root, ("a", 1, "b"))
    assert node == Node(None, Place("run"), Place("run"))
