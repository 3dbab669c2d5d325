"""What a shell is offered: asked as a shell asks, and within what a shell can take."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cnnctl.cli
from cnnctl.commands import app
from cnnctl.commands.summary import COLUMNS
from cnnctl.export.formats import FORMATS
from cnnctl.inspection import columns
from cnnctl.shipped import experiments
from cnnctl.vocabulary import families, sections
from tests.test_architecture import HEAVY, loaded_by

assert cnnctl.cli  # declares the commands

CONFIG = """\
data: {name: digits, batch_size: 32}
model:
  layers: [flatten, linear: 16, relu, linear: classes]
loss: cross_entropy
optimizer: {name: adam, lr: 0.01}
scheduler: cosine
train: {epochs: 7}
"""


CNNCTL = """
import sys
from cnnctl.__main__ import main
sys.argv = ["cnnctl"]
main()
"""
"""`python -m cnnctl` has another name, by which shells would have to ask."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and two runs, in which everything is typed."""
    monkeypatch.chdir(tmp_path)
    Path("mlp.yaml").write_text(CONFIG, encoding="utf-8")
    for name in ("mlp", "größe-2"):
        make_run(name)
    return tmp_path


def make_run(name: str) -> None:
    (Path("runs") / name).mkdir(parents=True)
    (Path("runs") / name / "config.yaml").touch()


def asked(shell: str, **words: str) -> str:
    """What is answered to a shell, by this process."""
    env = {"_CNNCTL_COMPLETE": f"complete_{shell}", **words}
    done = CliRunner().invoke(app, [], env=env, prog_name="cnnctl", catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def offered(*words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    return asked("bash", **typed_in_bash(*words)).split()


def typed_in_bash(*words: str) -> dict[str, str]:
    """As bash hands over what is typed, which it parts at an equals sign."""
    parted = [part for word in ("cnnctl", *words) for part in _parted(word)]
    return {"COMP_WORDS": "\n".join(parted), "COMP_CWORD": str(len(parted) - 1)}


def _parted(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    return [part for part in (name, equals, value) if part] or [""]


def offered_whole(*words: str) -> list[str]:
    """What fish is offered, which keeps words whole."""
    typed = " ".join(("cnnctl", *words))
    action = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": typed}
    return [line.partition("\t")[0] for line in asked("fish", **action).splitlines()]


def test_a_process_offers_the_same() -> None:
    words = ("summary", "mlp.yaml", "optimizer.lr=")
    done = subprocess.run(
        [sys.executable, "-c", CNNCTL],
        env={**os.environ, "_CNNCTL_COMPLETE": "complete_bash", **typed_in_bash(*words)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == offered(*words) == ["0.01"]


def test_list_is_offered_families_sections_and_kinds() -> None:
    assert set(offered("list", "")) == {*families(), *sections(), "configs", "formats"}
    assert set(offered("list", "configs", "")) == set(experiments())
    assert set(offered("list", "formats", "")) == set(FORMATS)
    assert set(offered("export", "lenet", "x", "--format", "")) == set(FORMATS)
    assert offered("list", "opt") == ["optimizers"]
    assert set(offered("list", "losses", "")) == set(families()["losses"])
    assert offered("list", "optimizers", "adam") == ["adam", "adamw", "adamax"]
    assert offered("list", "nosuch", "") == []


def test_networks_are_offered_with_their_options() -> None:
    assert set(offered("show", "")) == {*families()["zoo"], *experiments()}
    assert "width=" in offered("show", "resnet18", "")
    assert offered("show", "nosuch", "") == []


def test_a_summary_is_offered_networks_files_and_runs() -> None:
    found = offered("summary", "")
    assert {"resnet18", "mlp.yaml", "runs/mlp", "runs/größe-2"} <= set(found)
    assert offered("summary", "mlp") == ["mlp", "mlp-mnist", "mlp-spirals", "mlp.yaml"]
    assert offered("summary", "configs/") == []  # nothing of ours, so the shell looks for files
    assert offered("summary", "mlp.yaml", "--compare", "resnet15") == ["resnet152"]
    assert offered("summary", "mlp.yaml", "train.ep") == ["train.epochs=", "train.epochs=7"]


@pytest.mark.parametrize("command", ["train", "summary"])
def test_overrides_are_the_paths_of_the_file(command: str) -> None:
    assert "optimizer." in offered(command, "mlp.yaml", "")
    assert offered(command, "mlp.yaml", "model.layers.1") == [
        "model.layers.1.linear=",
        "model.layers.1.linear=16",
    ]
    paths = offered(command, "mlp.yaml", "optimizer.")
    assert "optimizer.betas=" in paths
    assert "optimizer.momentum=" not in paths  # it is none of adam's
    assert "optimizer.momentum=" in offered(command, "mlp.yaml", "optimizer.name=sgd", "optimizer.")
    assert offered(command, "lenet-mnist", "optimizer.lr=") == ["0.05"]
    # a file that is damaged or not there takes nothing away
    Path("torn.yaml").write_text("a: [", encoding="utf-8")
    for name in ("torn.yaml", "nosuch.yaml"):
        assert "optimizer.momentum=" in offered(command, name, "optimizer.")


def test_experiments_are_offered_before_overrides() -> None:
    assert set(offered("train", "")) == {*experiments(), "mlp.yaml", "runs/"}
    assert offered("train", "ml") == ["mlp-mnist", "mlp-spirals", "mlp.yaml"]
    assert offered("check", "mlp.yaml", "lenet-") == ["lenet-mnist", "lenet-quarter"]
    assert offered("train", "configs/") == []  # nothing of ours, so the shell looks for files
    assert offered("train", "train.epo") == ["train.epochs="]
    assert "optimizer." in offered("train", "--resume", "runs/mlp", "")


VALUES = [
    ("train.precision=", ["auto", "fp32", "tf32", "bf16"]),
    ("train.precision=f", ["fp32"]),
    ("train.deterministic=", ["true", "false"]),
    ("train.compile=m", ["measure", "max-autotune"]),
    ("optimizer.name=adam", ["adam", "adamw", "adamax"]),
    ("optimizer=adamw", ["adamw"]),
    ("optimizer.lr=", ["0.01"]),
    ("regularization.ema.warmup=t", ["true"]),
]


@pytest.mark.parametrize(("word", "values"), VALUES)
def test_values_are_offered_in_both_ways_of_parting_words(word: str, values: list[str]) -> None:
    assert offered("train", "mlp.yaml", word) == values
    name = word.partition("=")[0]
    assert offered_whole("train", "mlp.yaml", word) == [f"{name}={value}" for value in values]


def test_runs_are_offered_where_runs_are_made() -> None:
    assert set(offered("eval", "")) == {"runs/mlp", "runs/größe-2"}
    assert offered("train", "--resume", "runs/m") == ["runs/mlp"]
    Path("runs").rename("elsewhere")
    assert offered("eval", "") == []
    assert offered("train", "--runs", "elsewhere", "--resume", "elsewhere/m") == ["elsewhere/mlp"]
    Path("below").mkdir()
    os.chdir("below")
    found = offered("train", "--runs", "../elsewhere", "--resume", "../elsewhere/m")
    assert found == ["../elsewhere/mlp"]


HOSTILE = [
    *("$(touch x)", "`touch x`", "a;touch x", "a b", "a'b", 'a"b', "a\nb", "a\x1b[1m", "a\u202eb"),
    *("a&b", "a|b", "a>b", "a*", "a\\b", "~a", "{a,b}", "!a", "#a", "a:(b)", "a$b"),
]


@pytest.mark.parametrize(
    "names", [HOSTILE, *(pytest.param([name], marks=pytest.mark.long) for name in HOSTILE)]
)
def test_nothing_that_a_shell_would_run_is_offered(names: list[str]) -> None:
    for name in names:
        make_run(name)
        Path(f"{name}.yaml").touch()
    keys = dict.fromkeys(names, 1)
    optimizer = {"name": "sgd", **keys, "lr": names[0]}
    text = json.dumps({"name": names[0], **keys, "optimizer": optimizer})
    Path("bad.yaml").write_text(text, encoding="utf-8")
    assert set(offered("eval", "")) == {"runs/mlp", "runs/größe-2"}
    assert offered("train", "bad.yaml", "optimizer.lr") == ["optimizer.lr="]
    assert offered("train", "bad.yaml", "optimizer.lr=") == []
    typed = ("train", "bad.yaml", ""), ("train", "bad.yaml", "optimizer."), ("summary", "")
    shown = [word for words in typed for word in offered(*words)]
    assert "optimizer.momentum=" in shown
    assert not [word for word in shown if not re.fullmatch(r"[\wß./=-]+", word)]
    assert not [word for word in shown if any(name in word for name in names)]


def test_closed_options_are_offered() -> None:
    assert offered("eval", "runs/mlp", "--split", "") == ["test", "validation", "train"]
    assert offered("eval", "runs/mlp", "--device", "c") == ["cpu", "cuda"]
    assert offered("summary", "mlp.yaml", "--style", "t") == ["table", "torchsummary"]
    found = offered("summary", "mlp.yaml", "--columns", "kernel,s")
    assert found == ["kernel,share", "kernel,share-multiply-adds", "kernel,stride"]


def test_the_columns_are_those_that_there_are() -> None:
    assert set(COLUMNS) == set(columns.COLUMNS)


@pytest.mark.parametrize(
    "typed", ["list layers co", "eval ", "summary mlp.yaml optimizer.", "train mlp.yaml model.l"]
)
def test_completion_loads_nothing_heavy(typed: str) -> None:
    words = f"cnnctl {typed}".split(" ")
    asking = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    found = loaded_by(_CNNCTL_COMPLETE="complete_bash", **asking)
    # yaml reads the file; newer typers read the options of a command with pydantic
    assert not found & (HEAVY - {"yaml", "pydantic"})


BASH = shutil.which("bash")
DRIVE = """
source <("$PYTHON" -c "$SCRIPT")
COMP_WORDS=(cnnctl train mlp.yaml optimizer.name = adama) COMP_CWORD=5
_cnnctl_completion ./cnnctl
echo "${COMPREPLY[@]}"
"""
SCRIPT = """
from typer._completion_shared import get_completion_script
print(get_completion_script(prog_name="cnnctl", complete_var="_CNNCTL_COMPLETE", shell="bash"))
"""


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_takes_what_it_is_offered() -> None:
    Path("cnnctl").write_text(f"#!{sys.executable}{CNNCTL}", encoding="utf-8")
    Path("cnnctl").chmod(0o755)
    done = subprocess.run(
        [str(BASH), "--norc", "-c", DRIVE],
        env={**os.environ, "PYTHON": sys.executable, "SCRIPT": SCRIPT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("adamax\n", "")
