"""A shipped experiment is known by its name, wherever the program runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnctl.errors import FaultError
from cnnctl.experiment import load
from cnnctl.model.zoo import Network
from cnnctl.shipped import describe, experiments, is_shipped
from cnnctl.sources import open_experiment
from tests.conftest import TINY, invoke, rows_of

CONFIGS = Path(__file__).parent.parent / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, in which everything is typed."""
    monkeypatch.chdir(tmp_path)


def test_they_are_the_files_of_configs() -> None:
    assert experiments() == {name: CONFIGS / f"{name}.yaml" for name in NAMES}


def test_no_network_of_the_zoo_has_the_name_of_an_experiment() -> None:
    assert not set(NAMES) & set(Network.kinds)


def test_the_head_of_a_file_is_read() -> None:
    """As it stands in configs/, from where these words are copied."""
    assert describe("lenet-mnist") == {
        "name": "lenet-mnist",
        "about": "LeNet-5 on MNIST with modern training.",
        "from": "LeCun et al. 1998, Gradient-based learning applied to document recognition, in "
        "the form 6c5-pool-16c5-pool-120-84-10; the paper reaches 99.05 %, and 99.2 % with "
        "distortions.",
        "reaches": "99.38 % of the test split, mean of three seeds (99.36 to 99.43 %).",
        "takes": "a minute and a half on two cores with AVX-512.",
    }
    assert describe("tdnn-waveform")["about"].startswith("A time-delay network: convolutions")


def test_a_list_shows_every_experiment() -> None:
    facts = json.loads(invoke("list", "configs", "--json").stdout)
    assert [each["name"] for each in facts] == NAMES
    assert all(each[key] for each in facts for key in ("about", "from", "reaches", "takes"))
    lines = invoke("list", "configs").stdout.splitlines()[1:]
    for line, each in zip(lines, facts, strict=True):
        cells = [each[key] for key in ("name", "about", "reaches", "takes")]
        assert line.split() == " ".join(cells).split()


def test_a_list_of_one_says_where_it_is_from() -> None:
    done = invoke("list", "configs", "mlp-spirals")
    assert done.stdout.startswith("mlp-spirals: A small MLP that tells two spirals apart.\n")
    assert "Lang and Witbrock 1988" in done.stdout
    assert "cnnctl list configs" in invoke("list").stdout


@pytest.mark.parametrize("name", NAMES)
def test_each_is_shown_as_it_is_written(name: str) -> None:
    assert invoke("show", name).stdout == (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_each_means_the_same_by_name_and_by_file(name: str) -> None:
    named, read = load(Path(name)), load(CONFIGS / f"{name}.yaml")
    assert (named.experiment, named.plan, named.text) == (read.experiment, read.plan, read.text)
    assert not named.experiment.plugins  # whose paths would start from the current folder
    assert named.experiment.model.weights is None


def test_an_experiment_is_trained_by_its_name() -> None:
    done = invoke("train", "textbook-3-4-2", "train.epochs=2")
    assert done.exit_code == 0, done.output
    run = Path("runs/textbook-3-4-2")
    text = (CONFIGS / "textbook-3-4-2.yaml").read_text(encoding="utf-8")
    kept = (run / "config.source.yaml").read_text(encoding="utf-8")
    assert kept == f"# overrides: train.epochs=2\n{text}"
    done = invoke("train", "textbook-3-4-2", "train.epochs=3", "--resume")
    assert done.exit_code == 0, done.output
    assert [row["epoch"] for row in rows_of(run)] == [1, 2, 3]


def test_checked_and_summarised_they_are_named_as_they_were_typed() -> None:
    done = invoke("check", "lenet", "regression")
    assert (done.stdout, done.stderr) == (
        "lenet: no problems found\nregression: no problems found\n",
        "",
    )
    assert "61,706 parameters" in invoke("summary", "lenet").stdout
    assert "lenet5" in invoke("summary", "lenet", "--compare", "lenet5").stdout


def test_a_fault_is_placed_at_a_line_of_what_show_prints() -> None:
    done = invoke("train", "lenet", "data.size=4")
    assert done.exit_code == 2
    place, _, message = done.stderr.partition(": ")
    name, line, column = place.split(":")
    assert message.startswith("model.layers.0.conv.kernel_size: 5 does not fit")
    shown = invoke("show", name).stdout.splitlines()
    assert shown[int(line) - 1][int(column) - 1 :] == "5}"


def test_a_file_goes_before_an_experiment_and_a_folder_does_not() -> None:
    Path("lenet").mkdir()
    assert load(Path("lenet")).text == (CONFIGS / "lenet.yaml").read_text(encoding="utf-8")
    assert is_shipped(Path("lenet"))
    with pytest.raises(FaultError, match="has no checkpoints"):
        open_experiment(Path("lenet"))
    Path("lenet").rmdir()
    Path("lenet").write_text(TINY, encoding="utf-8")
    assert not is_shipped(Path("lenet"))
    assert load(Path("lenet")).text == open_experiment(Path("lenet")).text == TINY


@pytest.mark.parametrize(
    "word",
    [
        *("", ".", "..", "/", "lenet.yaml", "../configs/lenet", "configs/lenet", "lenet/../lenet"),
        *("cnnctl.schema", "LENET", "lenet\0", "~", "*", str(CONFIGS / "lenet")),
    ],
)
def test_nothing_but_a_name_leads_to_a_file(word: str) -> None:
    assert not is_shipped(Path(word))


@pytest.mark.parametrize(
    ("words", "fault", "hint"),
    [
        ("train lenett", "lenett: no such file", "did you mean lenet?"),
        ("train configs/lenet.yaml", "configs/lenet.yaml: no such file", "did you mean lenet?"),
        ("check lenet-mnits", "lenet-mnits: no such file", "did you mean lenet-mnist?"),
        ("train resnet18", "resnet18: is a network", "put model: {zoo: resnet18} in an experiment"),
        (
            "summary lenet-mnits",
            "no zoo network or shipped experiment is named lenet-mnits",
            "did you mean lenet-mnist?",
        ),
        (
            "show regresion",
            "no zoo network or shipped experiment is named regresion",
            "did you mean regression?",
        ),
        ("show xyz", "no zoo network or shipped experiment is named xyz", "`cnnctl list configs`"),
        ("show lenet seed=1", "lenet takes no overrides here", "use cnnctl train lenet seed=1"),
        (
            "show lenet lenet5 regression",
            "expected one, but got 2: lenet, regression",
            "show one at a time",
        ),
        ("list configs lenett", "no shipped experiment is named lenett", "did you mean lenet?"),
        ("list lenet", "no family or section is named lenet", "write cnnctl list configs lenet"),
        ("lenet", "No such command 'lenet'", "write cnnctl train lenet"),
        (
            "train lenet regression",
            "expected one, but got 2: lenet, regression",
            "train one at a time",
        ),
    ],
)
def test_what_was_meant_is_reported(words: str, fault: str, hint: str) -> None:
    done = invoke(*words.split())
    assert (done.exit_code, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert fault in first
    assert hint in second
