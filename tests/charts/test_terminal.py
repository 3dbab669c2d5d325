from io import BytesIO, TextIOWrapper

import pytest

from cnnctl.charts import Chart, Mark, Series, TerminalChart
from cnnctl.console import Screen

NAN = float("nan")
RISING = Series("rising", [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)])
FALLING = Series("falling", [(0, 4), (4, 0)])


def shown(
    chart: Chart, *, rows: int = 5, width: int = 24, encoding: str = "ascii", colours: bool = False
) -> list[str]:
    """The lines of a chart; what the encoding lacks raises an error."""
    content = BytesIO()
    file = TextIOWrapper(content, encoding=encoding, write_through=True)
    Screen(
        file=file,
        width=width,
        force_terminal=colours,
        color_system="truecolor" if colours else None,
    ).print(TerminalChart(chart, rows=rows))
    return content.getvalue().decode().splitlines()


def test_series_without_colours_have_their_own_signs() -> None:
    assert shown(Chart("Crossing", "epoch", "loss", [RISING, FALLING])) == [
        "Crossing, loss",
        "4 +ooo               ***",
        "  |   ooooo     *****",
        "2 +        ooooo",
        "  |   *****     ooooo",
        "0 +***               ooo",
        "  ++---------+---------+",
        "   0         2         4",
        "                   epoch",
        "*** rising   ooo falling",
    ]


def test_series_on_a_colourful_terminal_have_their_own_colours() -> None:
    chart = Chart("", "epoch", "loss", [RISING, FALLING])
    text = "\n".join(shown(chart, colours=True, encoding="utf-8"))
    assert "38;2;31;131;201" in text
    assert "38;2;217;96;26" in text
    assert "o" not in text.replace("epoch", "").replace("loss", "")


def test_braille_places_dots_by_value() -> None:
    corners = Series("corners", [(0, 0), (1, 1)], style="points")
    lines = shown(Chart("", "x", "y", [corners]), rows=2, encoding="utf-8")
    assert lines[0] == "y"
    assert lines[1].endswith("⠈")  # the upper right dot of the last character
    assert lines[2].partition("┤")[2] == "⡀"  # the lower left dot of the first


@pytest.mark.parametrize("missing", [NAN, float("inf"), -float("inf")])
def test_values_that_are_not_finite_interrupt_a_line(missing: float) -> None:
    gap = Series("gap", [(0, 1.0), (1, 1.0), (2, missing), (3, 1.0), (4, 1.0)])
    lines = shown(Chart("", "epoch", "loss", [gap]), width=32)
    drawn = next(line for line in lines if "***" in line)
    assert len([part for part in drawn.partition("+")[2].split(" ") if part]) == 2


def test_a_logarithmic_axis_leaves_out_what_is_not_positive() -> None:
    rates = Series("rate", [(1, 0.1), (2, 0.01), (3, 0.0)])
    lines = shown(Chart("", "epoch", "rate", [rates], has_log_y=True))
    assert [line.split()[0] for line in lines if line.split()[0][0] in "01"][:2] == ["0.10", "0.01"]


def test_without_a_value_only_the_axes_are_drawn() -> None:
    lines = shown(Chart("Nothing", "epoch", "loss", [Series("nan", [(1, NAN)])]))
    assert lines[0] == "Nothing, loss"
    assert lines[-1] == "*** nan"


def test_names_cannot_control_the_terminal() -> None:
    series = Series("d\x1b", [(0, 0)])
    chart = Chart("a\x1b[2J", "b\x07", "c\r", [series], [Mark("e\n", x=0)])
    text = "\n".join(shown(chart, width=60))
    assert "\x1b" not in text
    assert r"a\x1b[2J, c\r" in text
    assert r": e\n" in text


def test_a_mark_stands_at_its_value() -> None:
    chart = Chart("", "epoch", "loss", [FALLING], [Mark("kept", x=4.0), Mark("least", y=4.0)])
    lines = shown(chart, width=30)
    assert [line[-1] for line in lines[2:5]] == [":"] * 3
    assert lines[1].endswith("....")
    assert lines[-2:] == ["*** falling   : kept", "... least"]


def test_epochs_are_whole_numbers() -> None:
    chart = Chart("", "epoch", "loss", [Series("two", [(1, 0.5), (2, 0.25)])])
    assert shown(chart, width=60)[-3].split() == ["1", "2"]
