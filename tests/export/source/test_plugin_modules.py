"""Modules of plugins are copied into a source, if they need nothing else of their file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnctl import plugins
from cnnctl.config.choice import Choice
from cnnctl.errors import FaultError
from cnnctl.export.format import Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import open_original
from tests.export.running import here
from tests.export.source.twins import assert_plain

FACTOR = '''\
from torch import Tensor, nn

from cnnctl.model.layer import Layer, Shape

ONE = 1


class Factor(nn.Module):
    """A factor."""

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
'''
USES_IT = """\
plugins: [times.py]
data: {name: digits}
model: {layers: [times: 3, flatten, linear: classes]}
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the plugins of a test, and what they have declared."""
    monkeypatch.setattr(plugins, "_loaded", {})
    kinds = {family: dict(family.kinds) for family in Choice.families.values()}
    yield
    for family, known in kinds.items():
        family.kinds.clear()
        family.kinds.update(known)


def written(folder: Path, plugin: str) -> str:
    (folder / "times.py").write_text(plugin, encoding="utf-8")
    (folder / "x.yaml").write_text(USES_IT, encoding="utf-8")
    original, chosen = open_original(folder / "x.yaml", data_root=folder), FORMATS["source"]
    file = folder / "x.py"
    for name, content in chosen.contents(original, Wishes(), file).items():
        (folder / name).write_bytes(content)
    assert chosen.check(original, Wishes(), file, here).difference < 1e-5
    return file.read_text(encoding="utf-8")


def test_the_class_of_a_plugins_module_is_copied(tmp_path: Path) -> None:
    text = written(tmp_path, FACTOR)
    assert 'class Factor(nn.Module):\n    """A factor."""\n' in text
    assert "self.times1 = Factor(3.0)" in text
    assert_plain(text)


@pytest.mark.parametrize(
    ("part", "other", "reason"),
    [
        ("values * self.factor", "values * self.factor * ONE", "Factor uses ONE of its own file"),
        ("self.factor", "self.by", "has no attribute 'factor'"),
    ],
)
def test_a_module_that_cannot_be_copied_is_named(
    part: str, other: str, reason: str, tmp_path: Path
) -> None:
    head, tail = FACTOR.split("class Times")
    plugin = f"{head.replace(part, other)}class Times{tail}"
    with pytest.raises(FaultError, match=f"py cannot hold times1.*{reason}"):
        written(tmp_path, plugin)
