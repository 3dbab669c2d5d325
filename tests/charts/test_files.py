import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from cnnctl.charts import Chart, Mark, Series, check_output, write
from cnnctl.errors import FaultError

CHART = Chart(
    "Loss by epoch",
    "epoch",
    "loss",
    [
        Series("training", [(1, 2.0), (2, 1.0), (3, float("nan")), (4, 0.5)], "dashed"),
        Series("validation", [(1, 2.0), (2, 1.5)]),
        Series("samples", [(1, 1.0)], "points"),
    ],
    [Mark("kept", x=2), Mark("chance", y=2.3)],
)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_equal_charts_are_equal_files(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write([CHART], first)
    write([CHART], second)
    assert first.read_bytes() == second.read_bytes()


def test_a_picture_is_white_and_has_the_colours_of_its_series(tmp_path: Path) -> None:
    write([CHART, CHART], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        colours = set(picture.convert("RGB").get_flattened_data())
        assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    assert {(0x1F, 0x83, 0xC9), (0xD9, 0x60, 0x1A)} <= colours


def test_names_are_neither_formulas_nor_markup(tmp_path: Path) -> None:
    name = "$\\frac{1}$ <b> \x00 \ud800 --> 猫"
    series = [Series(name, [(1, 1.0)]), Series("b", [(1, 2.0)])]
    write([Chart(name, name, name, series, [Mark(name, x=1)])], tmp_path / "a.svg")
    ElementTree.fromstring((tmp_path / "a.svg").read_bytes())


def test_logarithmic_axes_leave_out_what_is_not_positive(tmp_path: Path) -> None:
    rate = Series("rate", [(0, 0.5), (1, 0.1), (10, 0.0), (100, 0.001)])
    write([Chart("", "step", "rate", [rate], has_log_x=True, has_log_y=True)], tmp_path / "a.svg")


def test_an_unknown_suffix_is_a_fault() -> None:
    with pytest.raises(FaultError, match=r"a\.gif: unknown format\n.*ending in \.png or \.svg"):
        check_output(Path("a.gif"))


def test_without_matplotlib_the_fault_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(FaultError, match=r"pip install 'cnnctl\[plot\]'"):
        check_output(Path("a.png"))
