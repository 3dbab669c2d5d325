"""Formulas in templates: what they come to, and what is refused."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.config.arithmetic import evaluate, with_values
from cnnctl.config.nodes import Place, from_plain
from cnnctl.errors import FaultError
from cnnctl.experiment import load

PLACE = Place("x.yaml", 1, 1)
README = Path(__file__).parents[2] / "README.md"


def scope(**values: Any) -> dict[str, Any]:
    return {name: from_plain(value, PLACE) for name, value in values.items()}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$w / 16", 4),
        ("$w // 60", 1),
        ("16 * $w", 1024),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 4 - 3", 3),
        ("64 / 4 / 4", 4),
        ("7 // 2 * 2", 6),
        ("-7 // 2", -4),
        ("$w / $w", 1),
        ("3 * 0.1 * 10", 3),
        ("$half * 4", 2),
        ("$w / 48 * 3", 4),
        ("5 / 2", 2.5),
        ("-$w", -64),
        ("($w-1)/(2+1)", 21),
    ],
)
def test_a_formula_comes_to_an_integer_where_it_is_whole(text: str, result: float) -> None:
    found = evaluate(text, scope(w=64, half=0.5))
    assert found == result
    assert type(found) is type(result)


FORMULAS = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=8,
)


@given(FORMULAS)
def test_formulas_agree_with_python_on_fractions(text: str) -> None:
    exact = "".join(f"F({part})" if part.isdigit() else part for part in _split(text))
    try:
        expected = Fraction(eval(exact, {"F": Fraction}))
    except ZeroDivisionError:
        with pytest.raises(FaultError, match="division by zero"):
            evaluate(text, {})
        return
    assert evaluate(text, {}) == pytest.approx(float(expected))


def _split(text: str) -> list[str]:
    return text.replace("(", "( ").replace(")", " )").split()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("$w / 0", "division by zero"),
        ("$w // (2 - 2)", "division by zero"),
        ("$w ** 2", "'*' is not a number"),
        ("len($w)", "len is not a number"),
        ("$w + classes", "classes is not a number"),
        ("$w + $word", "$word is classes here, not a number"),
        ("$w + $truth", "$truth is true here, not a number"),
        ("$w + $list", "$list is [1, 2] here, not a number"),
        ("$w * $endless", "$endless is .inf here, not a number"),
        ("$w 3", "unexpected '3'"),
        ("$w /", "unexpected end"),
        ("($w", "unclosed parenthesis"),
        ("$w)", "unexpected ')'"),
        ("1.5.2", "unexpected ."),
        ("$w.real", "unexpected ."),
        ("$w[0]", "unexpected "),
        ("1e9 * $w", "unexpected e9"),
        ("$w * 9999999999999999", "numbers are too large"),
        ("*".join(["99999999"] * 9), "numbers are too large"),
        ("/".join(["1", *["99999999"] * 9]), "numbers are too large"),
        ("(" * 99, "nested deeper than 16 levels"),
        ("-" * 99, "nested deeper than 16 levels"),
        ("1 + " * 99 + "1", "the formula has 397 characters"),
    ],
)
def test_what_is_no_formula_is_refused(text: str, fault: str) -> None:
    values = scope(w=64, word="classes", truth=True, list=[1, 2], endless=float("inf"))
    with pytest.raises(FaultError) as raised:
        evaluate(text, values)
    [found] = raised.value.faults
    assert fault.replace("'", "") in found.message.replace("'", "")
    assert found.hint


def test_a_formula_is_shown_with_its_values() -> None:
    assert with_values("$w / ($r + 1)", scope(w=24, r=15)) == "24 / (15 + 1)"


FILE = """\
data: {name: digits, size: 8}
model:
  blocks:
    narrow:
      parameters: {width, ratio: 16, pads: []}
      layers:
        - conv: {out_channels: $width / $ratio, kernel_size: [$ratio // 8 - 1, 1]}
    twice:
      parameters: {width}
      layers: [narrow: $width * 2, narrow: {width: $width + $width, ratio: $width / 2}]
  layers:
    - USE
    - flatten
    - linear: classes
"""


def test_formulas_are_computed_in_lists_and_for_other_templates(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FILE.replace("USE", "twice: 32"), encoding="utf-8")
    convs = [stage for stage in load(path).plan.leaves() if stage.layer.kind == "conv"]
    assert [stage.output for stage in convs] == [(4, 8, 8), (4, 8, 8)]


def test_a_division_with_a_remainder_is_reported_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FILE.replace("USE", "narrow: 24"), encoding="utf-8")
    with pytest.raises(FaultError) as raised:
        load(path)
    [fault] = raised.value.faults
    assert str(fault) == (
        f"{path}:7:32, used at {path}:12:7: model.blocks.narrow.layers.0.conv.out_channels: "
        "24 / 16: 1.5 is not an integer or classes\n"
        "    use // to round down, or values that divide evenly"
    )


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("$width / $ratio", "$widht / 16", ":7:32: model.blocks.narrow.layers.0.conv"),
        ("$width / $ratio", "$width / 0", ":7:32: model.blocks.narrow.layers.0.conv"),
        ("linear: classes", "linear: $width / 2", "$width / 2 is used outside a template"),
    ],
)
def test_a_formula_that_is_wrong_is_reported_at_its_place(
    before: str, after: str, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(FILE.replace("USE", "narrow: 16").replace(before, after), encoding="utf-8")
    with pytest.raises(FaultError) as raised:
        load(path)
    assert fault in str(raised.value.faults[0])


def test_the_readme_has_squeeze_and_excitation_with_the_papers_parameters(tmp_path: Path) -> None:
    part = README.read_text(encoding="utf-8").split("squeeze-and-excitation block:")[1]
    text = part.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    loaded = load(path)
    [excite] = [stage for stage in loaded.plan.layers if stage.name == "excite1"]
    squeeze, expand = (leaf for leaf in excite.leaves() if leaf.layer.kind == "conv")
    # Hu et al. 2018: C -> C/r -> C
    assert [squeeze.output, expand.output] == [(2, 1, 1), (32, 1, 1)]
