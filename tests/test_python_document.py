"""The examples of docs/ and the README in Python; `# ->` is what an expression gives."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
VALUE = re.compile(r"^(\S.*?)\s+# -> (.*)$", re.MULTILINE)


def blocks(text: str) -> list[str]:
    """The blocks of Python, in their order."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.fixture(autouse=True)
def folder_with_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_before: None) -> None:
    """Run in a folder with the picture that the examples name."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20), dtype=np.uint8)
    Image.fromarray(pixels).save("digit.png")


@pytest.mark.long
@pytest.mark.parametrize(("document", "least"), [("python.md", 25), ("sklearn.md", 12)])
def test_every_example_gives_what_it_says(document: str, least: int) -> None:
    names, told = dict[str, Any](), 0
    for block in blocks((ROOT / "docs" / document).read_text(encoding="utf-8")):
        code = VALUE.sub(lambda found: f"assert repr(({found[1]})) == {found[2]!r}", block)
        exec(compile(code, document, "exec"), names)
        told += len(VALUE.findall(block))
    assert told > least


@pytest.mark.long
@pytest.mark.parametrize("title", ["Python", "scikit-learn"])
def test_the_example_of_the_readme_runs(title: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    [block] = blocks(section)
    exec(compile(block, "README.md", "exec"), {})
