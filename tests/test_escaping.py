"""Nothing foreign steers a terminal, wherever it is printed."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from cnnctl import checkpoint
from cnnctl.console import Screen
from cnnctl.errors import Fault
from cnnctl.escaping import to_json, visible, visible_lines
from tests.conftest import TINY, Cli, environment, invoke
from tests.warm import Process

HOSTILE = "a\x1b[31m\x1b]0;x\x07\x9b2J\u202eb\u2028c\u200fd\re[red]f[/]g\x7f\u2066"
STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]"
)
OURS = re.compile(r"\x1b\[[\d;]*m|\x1b\[\?25[hl]|\x1b\[\d*[AGK]|\r")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b", r"\x9b"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\u2028\u2029\u061c\u200e", r"\u2028\u2029\u061c\u200e"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["Ünï", "漢字", "👩‍👩‍👧", "สวัสดี", "م‌ی", r"\x1b", "[red]"])
def test_other_text_passes(text: str) -> None:
    assert visible(text) == visible_lines(text) == text
    assert json.loads(to_json([text])) == [text]


def test_json_is_safe_and_reads_as_the_same() -> None:
    text = to_json({HOSTILE: [HOSTILE]})
    assert not STEERING.search(text)
    assert json.loads(text) == {HOSTILE: [HOSTILE]}


def test_a_fault_is_a_line_and_its_cure_another() -> None:
    fault = Fault(place="a\nb", path=("c\x1b",), message="d\ne", hint="f\ng")
    assert str(fault) == r"a\nb: c\x1b: d\ne" + "\n    " + r"f\ng"


def test_a_screen_prints_strings_as_they_are() -> None:
    screen = Screen(file=StringIO(), force_terminal=True, width=200, _environ={})
    table = Table(HOSTILE)
    table.add_row(HOSTILE + "\nforged row")
    screen.print(HOSTILE, table, Text(HOSTILE), ":smile:", "[a, b]")
    assert isinstance(screen.file, StringIO)
    text = screen.file.getvalue()
    assert not STEERING.search(OURS.sub("", text))
    assert all(word in text for word in (":smile:", "[a, b]", "[red]f[/]", r"\nforged row"))


PLUGIN = f"""
from cnnctl.data.sources.inline import Inline
raise ValueError({HOSTILE!r})
"""
CONFIGS = {
    "key": f"model: {{layers: [linear: 2]}}\n{json.dumps(HOSTILE)}: 1\n",
    "kind": f"model: {{layers: [{json.dumps(HOSTILE)}]}}\n",
    "value": f"model: {{layers: [linear: {json.dumps(HOSTILE)}]}}\n",
    "name": f"name: {json.dumps(HOSTILE)}\nmodel: {{layers: [flatten, linear: classes]}}\n",
    "base": f"base: {json.dumps(HOSTILE)}\n",
    "plugin": f"plugins: [{json.dumps(HOSTILE)}]\nmodel: {{layers: [linear: 2]}}\n",
    "freeze": f"model: {{layers: [flatten, linear: classes], freeze: [{json.dumps(HOSTILE)}]}}\n",
    "weights": f"model: {{layers: [flatten, linear: classes], weights: {json.dumps(HOSTILE)}}}\n",
    "block": f"model: {{blocks: {{{json.dumps(HOSTILE)}: {{layers: [relu]}}}}, layers: [relu]}}\n",
    "head": f"model: {{layers: [flatten], heads: {{{json.dumps(HOSTILE)}: {{layers: []}}}}}}\n",
    "zoo": f"model: {{zoo: {json.dumps(HOSTILE)}}}\n",
    "raises": "plugins: [raises.py]\nmodel: {layers: [linear: 2]}\n",
}


def harmless(*texts: str) -> bool:
    return not any(map(STEERING.search, texts))


@pytest.mark.parametrize("what", CONFIGS)
def test_a_configuration_cannot_steer(cli: Cli, tmp_path: Path, what: str) -> None:
    (tmp_path / "raises.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "x.yaml").write_text(CONFIGS[what], encoding="utf-8")
    done = cli("check", "x.yaml")
    assert done.returncode == 2, done.stderr
    assert harmless(done.stdout, done.stderr)


NAMES = HOSTILE.replace("/", "")
SLIPS = [
    ["check", NAMES],
    ["train", NAMES],
    ["train", f"{NAMES}.yaml", f"{NAMES}=3"],
    ["train", f"--{NAMES}"],
    ["train", "--resume", NAMES],
    ["eval", NAMES],
    ["eval", "x", "--split", NAMES],
    ["eval", "x", "--batch-size", NAMES],
    ["summary", NAMES],
    ["summary", "lenet5", "--columns", NAMES],
    ["show", NAMES],
    ["show", "mlp", f"{NAMES}={NAMES}"],
    ["list", NAMES],
    ["list", "layers", NAMES],
    ["list", "layers", "conv", NAMES],
    ["runs", NAMES],
    [NAMES],
    [f"--{NAMES}"],
]


@pytest.mark.parametrize("arguments", SLIPS, ids=lambda words: " ".join(words).split("a\x1b")[0])
def test_arguments_are_repeated_without_harm(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode in (0, 2, 3, 4)
    assert harmless(done.stdout, done.stderr)


def tampered(run: Path, part: str) -> None:
    """Give a run's checkpoints keys, versions or tensor names that steer."""
    for path in (run / "checkpoints").iterdir():
        found = checkpoint.load(path)
        document, tensors = {**found.document}, {**found.tensors}
        if part == "tensor":
            tensors[f"weights.{HOSTILE}"] = tensors[next(iter(tensors))].clone()
        elif part == "experiment":
            document["experiment"] = {**document["experiment"], HOSTILE: HOSTILE}
        elif part == "environment":
            document = dict.fromkeys(document, HOSTILE) | {"experiment": document["experiment"]}
        else:
            document[HOSTILE] = HOSTILE
        checkpoint.save(checkpoint.Checkpoint(tensors, document), path)


@pytest.mark.parametrize("part", ["document", "experiment", "environment", "tensor"])
def test_a_checkpoint_cannot_steer(cli: Cli, tmp_path: Path, digits: Path, part: str) -> None:
    run = shutil.copytree(digits, tmp_path / "run")
    tampered(run, part)
    for arguments in (["eval", run], ["summary", run], ["train", "--resume", run]):
        done = cli(*arguments)
        assert done.returncode in (0, 2, 4), done.stderr
        assert harmless(done.stdout, done.stderr)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    done = invoke("train", folder / "tiny.yaml", "train.epochs=1", "--runs", folder / "runs")
    assert done.exit_code == 0, done.output
    return folder / "runs" / "tiny"


CLASSES = """\
plugins: [classes.py]
data: {name: hostile}
model: {layers: [flatten, linear: classes]}
optimizer: {name: sgd, lr: 0.1}
train: {epochs: 1}
"""
DATA_SET = f"""
from dataclasses import replace

from cnnctl.data.sources.digits import Digits


class Hostile(Digits, kind="hostile"):
    \"\"\"Digits under other names.\"\"\"

    def describe(self):
        names = tuple({HOSTILE!r} + str(i) for i in range(10))
        return replace(super().describe(), class_names=names)
"""


def test_class_names_and_run_names_cannot_steer(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "classes.py").write_text(DATA_SET, encoding="utf-8")
    (tmp_path / "x.yaml").write_text(CLASSES, encoding="utf-8")
    trained = cli("train", "x.yaml", "--runs", NAMES)
    assert trained.returncode == 0, trained.stderr
    [run] = (tmp_path / NAMES).iterdir()
    measured = cli("eval", run, "--plugin", "classes.py")
    assert measured.returncode == 0, measured.stderr
    assert r"\x1b[31m" in measured.stdout
    as_json = cli("eval", run, "--plugin", "classes.py", "--json")
    run.rename(tmp_path / NAMES / NAMES)
    listed = cli("runs", tmp_path / NAMES)
    for done in (trained, measured, as_json, listed):
        assert done.returncode == 0, done.stderr
        assert harmless(done.stdout, done.stderr)


def test_on_a_terminal_only_our_own_sequences_are_written(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(CONFIGS["key"], encoding="utf-8")
    for arguments in (["check", "x.yaml"], ["train", f"--{NAMES}"], ["list", NAMES], ["--help"]):
        ours, theirs = pty.openpty()
        process = Process(
            arguments,
            cwd=tmp_path,
            env=environment(TERM="xterm-256color"),
            streams=dict.fromkeys(range(3), theirs),
        )
        os.close(theirs)
        shown = _read_all(ours)
        os.close(ours)
        process.wait()
        assert shown
        assert not STEERING.search(OURS.sub("", shown)), shown
        assert "\x1b[31m\x1b]" not in shown


def _read_all(descriptor: int) -> str:
    text = b""
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # the program left
            return text.decode(errors="replace")
        if not chunk:
            return text.decode(errors="replace")
        text += chunk
