"""PyTorch source: a page as one would write it, its weights, and what it must not do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cnnctl.errors import FaultError
from cnnctl.export.format import Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import open_original
from cnnctl.export.source import expressions
from tests.conftest import TINY
from tests.export.running import checked, opened
from tests.export.source.twins import assert_plain

SOURCE = FORMATS["source"]
README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")

HEADS = """\
data: {name: digits}
model:
  layers:
    - conv: 4
    - relu
    - auxiliary: {layers: [flatten, linear: classes]}
    - flatten
  heads:
    digit: {layers: [linear: classes]}
    parity: {layers: [linear: classes]}
"""
HOSTILE = r'''
name: 'a"""; b = 1'
data: {name: inline, inputs: [[1, 2], [3, 4], [5, 7], [0, 1]], targets: [0, 1, 0, 1]}
model: {layers: [linear: {out_features: classes, name: lambda}]}
'''


def written(folder: Path, text: str) -> str:
    original = opened(folder, text)
    assert checked(original, "source", folder).difference < 1e-5
    return (folder / "x.py").read_text(encoding="utf-8")


def test_the_page_in_the_readme_is_what_is_written() -> None:
    pages = re.findall(r"```python\n(\"\"\"lenet.*?)```", README, re.DOTALL)
    contents = SOURCE.contents(open_original(Path("lenet")), Wishes(), Path("lenet.py"))
    assert [contents["lenet.py"].decode()] == pages


def test_resnet18_is_a_page_of_eighty_lines() -> None:
    original = open_original(Path("resnet18"), ["data.samples=20", "data.batch_size=all"])
    text = SOURCE.contents(original, Wishes(), Path("resnet18.py"))["resnet18.py"].decode()
    assert len(text.splitlines()) <= 80
    assert text.startswith('"""ResNet-18: images (N, 3, 224, 224) in, logits (N, 1000) out.\n')


def test_a_network_is_written_with_its_preprocessing(tmp_path: Path) -> None:
    text = written(tmp_path, TINY)
    assert "def preprocess(pixels: Tensor) -> Tensor:" in text
    assert_plain(text)


def test_heads_give_a_dict_and_auxiliary_classifiers_add_to_it(tmp_path: Path) -> None:
    text = written(tmp_path, HEADS)
    assert "In training, the outputs of auxiliary1 come with them." in text
    assert 'outputs | {"auxiliary1": auxiliary1} if self.training else outputs' in text
    assert_plain(text)


def test_names_in_a_file_put_no_code_into_a_source(tmp_path: Path) -> None:
    text = written(tmp_path, HOSTILE)
    assert_plain(text)
    docstring, *rest = ast.parse(text).body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(each, ast.ImportFrom | ast.ClassDef) for each in rest)


@pytest.mark.parametrize("text", ['"', "'", "\"'", "\\", "\n\r\0", "é", "\u202e", "\ud800", '"""'])
def test_strings_are_python_literals(text: str) -> None:
    literal = expressions.written(text)
    assert ast.literal_eval(literal) == text
    assert literal.isprintable()


def test_an_auxiliary_classifier_within_a_block_is_named(tmp_path: Path) -> None:
    inner = "{sequence: {name: a, layers: [{auxiliary: [flatten, {linear: classes}]}, relu]}}"
    text = f"data: {{name: digits}}\nmodel: {{layers: [{inner}, flatten, {{linear: classes}}]}}\n"
    with pytest.raises(FaultError, match=r"hold a\.auxiliary1, an auxiliary classifier within"):
        written(tmp_path, text)
