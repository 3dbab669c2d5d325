"""Every mistake gets its place, what is wrong and what to do; none gets a traceback.

`broken_configs.txt` holds the mistakes: `=== what it is`, the file, and for each fault
`>>> line:column | a piece of the fault | a piece of the hint`.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cnnctl.cli
from cnnctl.commands import app

assert cnnctl.cli  # declares the commands

M = "model: {layers: [flatten, linear: classes]}\n"
LAUGHS = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcde"))
# what cannot be seen in a file, or would fill it
UNSEEN = [
    ("a tab", "model:\n\tlayers: [relu]\n", "2:1", "found character '\\t'", "indent with spaces"),
    ("a control character", f'name: "a\x07"\n{M}', "1:9", "the character '\\x07'", "remove it"),
    ("a zero byte", f"{M}name: \x00", "2:7", "the character '\\x00'", "remove it"),
    ("half a character", f'{M}name: "\\udc00"', "2:7", "lone surrogate", "write the char"),
    ("a deep file", f"x: {'[' * 999}", "1:68", "nested deeper than 64", "use fewer levels"),
    ("a huge number", f"{M}seed: {'1' * 500}", "2:7", "a number of 500 char", "write it shorter"),
    ("laughs", f"a: &a [{'x, ' * 10}]\n{LAUGHS}", "5:12", "expands to more than", "fewer aliases"),
    ("a large file", f"{M}#{' ' * 300_000}", "", "is too large", "at most 256 KiB"),
]


@dataclass(frozen=True)
class Case:
    """A broken file, and what is to be said of it: place, fault and hint."""

    name: str
    text: str
    faults: list[tuple[str, str, str]]


def read_cases(text: str) -> Iterator[Case]:
    for part in text.split("=== ")[1:]:
        name, *lines = part.rstrip().split("\n")
        told = [line.removeprefix(">>>").split("|") for line in lines if line.startswith(">>>")]
        content = "".join(f"{line}\n" for line in lines if not line.startswith(">>>"))
        faults = [(place.strip(), fault.strip(), hint.strip()) for place, fault, hint in told]
        yield Case(name, content, faults)


CASES = [
    *read_cases(Path(__file__).with_suffix(".txt").with_stem("broken_configs").read_text("utf-8")),
    *(Case(name, text, [(place, fault, hint)]) for name, text, place, fault, hint in UNSEEN),
]


def told(stderr: str) -> list[tuple[str, str]]:
    """Every fault with its hint."""
    lines = stderr.splitlines()
    assert len(lines) % 2 == 0
    assert all(hint.startswith("    ") and hint.strip() for hint in lines[1::2])
    assert not any(fault.startswith(" ") for fault in lines[::2])
    return list(zip(lines[::2], lines[1::2], strict=True))


def assert_told(stderr: str, case: Case) -> None:
    found = told(stderr)
    assert len(found) == len(case.faults)
    for (fault, hint), (place, message, advice) in zip(found, case.faults, strict=True):
        assert fault.startswith(f"x.yaml:{place}: " if place else "x.yaml: ")
        assert message in fault
        assert advice in hint


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_reported_with_its_place_and_a_cure(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(case.text, encoding="utf-8")
    done = CliRunner().invoke(app, ["check", "x.yaml"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert_told(done.stderr, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_place_is_in_the_file(case: Case) -> None:
    lines = [*case.text.split("\n"), ""]
    for place, _, _ in case.faults:
        if place:
            line, column = map(int, place.partition(",")[0].split(":"))
            assert column <= len(lines[line - 1]) + 1


def test_there_are_mistakes_of_every_section() -> None:
    faults = [fault for case in CASES for _, fault, _ in case.faults]
    for section in ("data", "model", "loss", "optimizer", "scheduler", "regularization", "train"):
        assert sum(fault.startswith(f"{section}.") for fault in faults) >= 2
    assert len(CASES) >= 100


def test_the_faults_of_all_files_are_reported(tmp_path: Path) -> None:
    names = []
    for number, case in enumerate(CASES[:20]):
        names.append(str(tmp_path / f"{number}.yaml"))
        Path(names[-1]).write_text(case.text, encoding="utf-8")
    done = CliRunner().invoke(app, ["check", *names])
    assert done.exit_code == 2
    assert {fault.split(".yaml")[0] for fault, _ in told(done.stderr)} >= {
        name.removesuffix(".yaml") for name in names if Path(name).read_text(encoding="utf-8")
    }


AS_PROCESSES = [
    *("an open quote", "everything at once", "a kernel larger than its input", "a missing base"),
    *("an option of another optimizer", "laughs"),
]


@pytest.mark.parametrize("name", AS_PROCESSES)
def test_a_process_ends_with_2_and_no_traceback(
    name: str, tmp_path: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    case = next(case for case in CASES if case.name == name)
    (tmp_path / "x.yaml").write_text(case.text, encoding="utf-8")
    for command in ("check", "train", "summary")[: 1 + 2 * (name == "everything at once")]:
        done = cli(command, "x.yaml")
        assert done.returncode == 2
        assert done.stdout == ""
        assert_told(done.stderr, case)


def test_a_process_tells_of_files_that_are_none(
    tmp_path: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "lenet.yaml").write_text(M, encoding="utf-8")
    (tmp_path / "binary.yaml").write_bytes(os.urandom(4096) + b"\xff\xfe")
    (tmp_path / "empty.yaml").touch()
    done = cli("check", "lennet.yaml", "folder.yaml", "binary.yaml", "empty.yaml", "lenet.yaml")
    assert done.returncode == 2
    assert [fault for fault, _ in told(done.stderr)] == [
        "lennet.yaml: no such file",
        "folder.yaml: is a folder, not a file",
        "binary.yaml: is not a text file",
        "empty.yaml: is empty",
    ]
    assert "did you mean lenet.yaml?" in done.stderr
    assert "lenet.yaml: no problems found" in done.stdout


def test_a_process_tells_of_a_broken_override(
    tmp_path: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "x.yaml").write_text(f"{M}optimizer: sgd\n", encoding="utf-8")
    done = cli("train", "x.yaml", "optimizer.momentun=0.9", "train.epochs=ten")
    assert done.returncode == 2
    assert told(done.stderr) == [
        (
            "optimizer.momentun=0.9: optimizer.momentun: no such option",
            "    did you mean momentum?",
        ),
        (
            "train.epochs=ten: train.epochs: ten is not an integer",
            "    write an integer (like 3)",
        ),
    ]
    assert not (tmp_path / "runs").exists()
