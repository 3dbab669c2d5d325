"""The experiments that come with cnnctl, by name: `lenet` is configs/lenet.yaml.

A name is looked up among the files of that folder, so it cannot lead outside it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from cnnctl.paths import is_folder, is_there
from cnnctl.storage import contents

_PACKAGE = Path(__file__).parent
CONFIGS = "configs"
"""Their folder, and their name in `cnnctl list`."""
FOLDERS = (_PACKAGE / CONFIGS, _PACKAGE.parent / CONFIGS)
"""Their location in a wheel, and in a checkout."""
_FACT = re.compile(r"^# (From|Reaches|Takes): (.*(?:\n#   .*)*)", re.MULTILINE)


@cache
def experiments() -> dict[str, Path]:
    """The file of each shipped experiment, by name."""
    found = next(filter(None, map(contents, FOLDERS)), [])
    return dict(sorted((path.stem, path) for path in found if path.suffix == ".yaml"))


def is_name(source: Path) -> bool:
    """Whether a word can only be a name: not a path, and no file is called that."""
    is_word = len(source.parts) == 1 and not source.suffix
    return is_word and (is_folder(source) or not is_there(source))


def is_shipped(source: Path) -> bool:
    """Whether a word is a shipped experiment; a file in the current folder takes precedence."""
    return str(source) in experiments() and is_name(source)


def text_of(name: str) -> str:
    """The file of a shipped experiment, verbatim."""
    return experiments()[name].read_text(encoding="utf-8")


def describe(name: str) -> dict[str, str]:
    """The comment at the top of a shipped experiment: `about`, `from`, `reaches` and `takes`."""
    text = text_of(name)
    about = re.search(r"\n# (.*)", text)  # after the line for editors
    facts = {key.lower(): " ".join(fact.split("\n#   ")) for key, fact in _FACT.findall(text)}
    return {"name": name, "about": about[1] if about else "", **facts}
