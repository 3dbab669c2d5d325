"""The examples of docs/python.md and the README; `# ->` is what an expression gives."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "python.md"
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
def test_every_example_gives_what_it_says() -> None:
    names, told = dict[str, Any](), 0
    for block in blocks(DOCUMENT.read_text(encoding="utf-8")):
        code = VALUE.sub(lambda found: f"assert repr(({found[1]})) == {found[2]!r}", block)
        exec(compile(code, str(DOCUMENT), "exec"), names)
        told += len(VALUE.findall(block))
    assert told > 25


@pytest.mark.long
def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Python\n")[2].partition("\n## ")[0]
    [block] = blocks(section)
    exec(compile(block, "README.md", "exec"), {})
