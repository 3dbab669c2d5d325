from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from cnnctl import plugins
from cnnctl.catalogue import describe_kind
from cnnctl.checkpoint import Checkpoint
from cnnctl.config.choice import Choice
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import load
from cnnctl.model import network
from cnnctl.model.layer import Layer
from cnnctl.plugins import load_plugins
from cnnctl.sources import read_experiment

Write = Callable[[str, str], Path]

TIMES = '''\
"""A layer that the tests bring along."""

from pathlib import Path

from torch import Tensor, nn

from cnnctl.model.layer import Layer, Shape


class Factor(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, values: Tensor) -> Tensor:
        return values * self.factor


class Times(Layer, kind="times", short="factor"):
    """Multiply every value."""

    factor: float = 2.0
    """The factor."""

    def build(self, input: Shape) -> nn.Module:
        return Factor(self.factor)


with Path(__file__).with_suffix(".ran").open("a") as file:
    file.write("once ")
'''
USES_IT = "plugins: [times.py]\nmodel: {layers: [times: 3, flatten, linear: classes]}\n"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the plugins of a test, and what they have declared."""
    monkeypatch.setattr(plugins, "_loaded", {})
    kinds = {family: dict(family.kinds) for family in Choice.families.values()}
    yield
    for family, before in kinds.items():
        family.kinds.clear()
        family.kinds.update(before)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(*paths: Path) -> list[str]:
    with pytest.raises(FaultError) as raised:
        load_plugins(paths)
    assert all(fault.hint for fault in raised.value.faults)
    return [fault.message for fault in raised.value.faults]


def test_a_layer_of_a_plugin_is_one_like_any_other(write: Write) -> None:
    write("times.py", TIMES)
    loaded = load(write("x.yaml", USES_IT))
    built = network.build(loaded.plan, seed=0)
    ones = torch.ones(2, 1, 8, 8)
    assert torch.equal(built.get_submodule("times1")(ones), ones * 3)
    facts = describe_kind(Layer.kinds["times"])
    assert (facts["about"], facts["example"]) == ("Multiply every value.", "- times")
    assert facts["options"][0]["about"] == "The factor."


def test_its_mistakes_are_told_like_any_others(write: Write) -> None:
    write("times.py", TIMES)
    path = write("x.yaml", USES_IT.replace("times: 3", "times: {facter: 3}"))
    with pytest.raises(FaultError, match=r"x\.yaml:2:26: model\.layers\.0\.times\.facter: no such"):
        load(path)


def test_without_its_plugin_a_kind_is_unknown(write: Write) -> None:
    path = write("x.yaml", USES_IT.split("\n", 1)[1])
    with pytest.raises(FaultError, match="no layer is named times"):
        load(path)


def test_a_plugin_runs_once(write: Write) -> None:
    path = write("times.py", TIMES)
    for name in ("a.yaml", "b.yaml"):
        load(write(name, USES_IT))
    load_plugins([path, path.resolve()])
    assert Path("times.ran").read_text() == "once "


def test_a_plugin_is_found_beside_the_file_that_names_it(write: Write) -> None:
    write("lib/times.py", TIMES)
    write("lib/base.yaml", USES_IT)
    write("here.py", "")
    upper = write("configs/x.yaml", "base: ../lib/base.yaml\n")
    assert load(upper).experiment.plugins == [str(Path("configs/../lib/times.py").absolute())]
    typed = load(upper, ["plugins=[lib/times.py, here.py]"]).experiment.plugins
    assert typed == [str(Path(name).absolute()) for name in ("lib/times.py", "here.py")]


def test_two_plugins_may_have_one_name(write: Write) -> None:
    write("a/times.py", TIMES)
    write("b/times.py", TIMES.replace('kind="times"', 'kind="again"'))
    load_plugins([Path("a/times.py"), Path("b/times.py")])
    assert {"times", "again"} <= set(Layer.kinds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nx.y\n", "p.py failed at line 2: AttributeError: 'int' object has no attribute"),
        ("def f():\n    raise KeyError('a')\n\nf()\n", "p.py failed at line 2: KeyError: 'a'"),
        ("import json\n\njson.loads('{')\n", "p.py failed at line 3: JSONDecodeError: Expecting"),
        ("x = (\n", "p.py failed at line 1: SyntaxError: '(' was never closed"),
        ("import nowhere\n", "p.py failed at line 1: ModuleNotFoundError: No module named"),
        ("raise SystemExit('no')\n", "p.py failed at line 1: SystemExit: no"),
        ("raise ValueError('two\\nlines')\n", "p.py failed at line 1: ValueError: two lines"),
        (TIMES.replace('"times"', '"relu"'), "TypeError: layers has two kinds named relu"),
    ],
)
def test_a_plugin_that_fails_is_refused_at_its_line(write: Write, text: str, message: str) -> None:
    [found] = refused(write("p.py", text))
    assert message in found


def test_a_plugin_that_failed_fails_again_in_the_same_words(write: Write) -> None:
    path = write("p.py", f"{TIMES}\n1 / 0\n")
    assert refused(path) == refused(path)


def test_every_plugin_that_fails_is_reported_at_its_place(write: Write) -> None:
    write("bad.py", "1 / 0\n")
    path = write("x.yaml", f"plugins:\n  - bad.py\n  - nowhere.py\n{USES_IT.split(chr(10), 1)[1]}")
    with pytest.raises(FaultError) as raised:
        load(path)
    places = [str(fault).split(" ")[:2] for fault in raised.value.faults]
    assert places == [["x.yaml:2:5:", "plugins.0:"], ["x.yaml:3:5:", "plugins.1:"]]
    assert raised.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere.py", ": No such file or directory"),
        ("folder.py", ": Is a directory"),
        ("text.txt", ""),
    ],
)
def test_what_is_no_python_file_is_refused(write: Write, name: str, reason: str) -> None:
    write("text.txt", "x = 1\n")
    Path("folder.py").mkdir()
    assert refused(Path(name)) == [f"no Python file at {name}{reason}"]


@pytest.fixture
def checkpoint(write: Write) -> Checkpoint:
    """A checkpoint whose experiment names a plugin, by a process that has not loaded it."""
    path = write("times.py", TIMES)
    layers = [{"times": {"factor": 3.0}}, "flatten", {"linear": "classes"}]
    plain = {"plugins": [str(path.absolute())], "model": {"layers": layers}}
    return Checkpoint({}, {"experiment": plain})


def test_a_checkpoint_never_loads_a_plugin(checkpoint: Checkpoint) -> None:
    with pytest.raises(FaultError) as raised:
        read_experiment(checkpoint, place="last.safetensors")
    [fault] = raised.value.faults
    assert raised.value.exit_code == ExitCode.CHECKPOINT
    assert str(fault).startswith("last.safetensors: model.layers.0: no layer is named times")
    assert "times.py; add --plugin FILE for each" in fault.hint
    assert not Path("times.ran").exists()


def test_a_checkpoint_is_read_once_its_plugin_was_named(checkpoint: Checkpoint) -> None:
    load_plugins([Path("times.py")])
    loaded = read_experiment(checkpoint, place="last.safetensors")
    assert loaded.plan.layers[0].layer.kind == "times"
