"""A long file takes time in proportion to its length, and its faults fill no more than a screen."""

from collections.abc import Callable
from contextlib import suppress
from cProfile import Profile
from pathlib import Path

import pytest

from cnnctl.errors import SHOWN, FaultError
from cnnctl.experiment import load

Text = Callable[[int], str]
ENDS = "model: {layers: [flatten, linear: classes]}\n"


def layers(*written: str, more: str = "") -> str:
    items = "".join(f"  - {layer}\n" for layer in ("flatten", *written, "linear: classes"))
    return f"model:\n{more}  layers:\n{items}"


FAULTY: dict[str, Text] = {
    "unknown kinds": lambda n: layers(*(f"lnear{i}" for i in range(n))),
    "unknown options": lambda n: f"{ENDS}train:\n" + "".join(f"  epoch{i}: 1\n" for i in range(n)),
    "unknown sections": lambda n: ENDS + "".join(f"trian{i}: 1\n" for i in range(n)),
    "values": lambda n: layers(*("linear: few" for _ in range(n))),
    "misspelt names": lambda n: (
        layers(*("linear: 8" for _ in range(n)))
        + f"  freeze: [{', '.join(f'lienar{i}' for i in range(n))}]\n"
    ),
    "equal names": lambda n: layers(*("linear: {out_features: 8, name: a}" for _ in range(n))),
    "parameters": lambda n: layers(
        *(f"mine: {{x{i}: 3}}" for i in range(n)),
        more="  blocks: {mine: {parameters: {w: 1}, layers: [linear: $w]}}\n",
    ),
}
SOUND: dict[str, Text] = {
    "layers": lambda n: layers(*("linear: 8" for _ in range(n))),
    "named layers": lambda n: layers(
        *(f"linear: {{out_features: 8, name: a{i}}}" for i in range(n))
    ),
    "blocks": lambda n: layers(*("residual: [linear: 64]" for _ in range(n))),
}


def calls(text: str, path: Path) -> int:
    """The calls of Python functions that reading an experiment takes."""
    path.write_text(text, encoding="utf-8")
    with Profile(subcalls=False, builtins=False) as profile, suppress(FaultError):
        load(path)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("size", [25, pytest.param(50, marks=pytest.mark.long)])
@pytest.mark.parametrize("text", [*FAULTY.values(), *SOUND.values()], ids=[*FAULTY, *SOUND])
def test_work_grows_in_proportion_to_the_file(text: Text, size: int, tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    calls(text(5), path)  # what is made once: validators, modules
    few, more, most = (calls(text(n * size), path) for n in (1, 2, 4))
    assert most - more < 1.2 * 2 * (more - few)


@pytest.mark.parametrize("text", FAULTY.values(), ids=FAULTY)
def test_the_first_faults_are_shown_and_the_rest_counted(text: Text, tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(text(100), encoding="utf-8")
    with pytest.raises(FaultError) as raised:
        load(path)
    *shown, last = raised.value.faults
    assert len(shown) == SHOWN
    assert all(fault.hint and fault.place.startswith(f"{path}:") for fault in shown)
    assert str(last) == f"{path}: and 80 more errors\n    fix these first"
