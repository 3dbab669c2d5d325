"""The strengths that a word of the command line stands for."""

from __future__ import annotations

import pytest

from cnnctl.data.samples import Shape
from cnnctl.disturbance.kinds import DISTURBANCES
from cnnctl.disturbance.sweeps import parse_sweeps
from cnnctl.disturbance.units import Form
from cnnctl.errors import FaultError


@pytest.mark.parametrize(
    ("word", "strengths"),
    [
        ("shift=0..4", (0, 1, 2, 3, 4)),  # whole steps of pixels
        ("shift=0..20", (0, 4, 8, 12, 16, 20)),
        ("occlude=0..12", (0, 2, 5, 7, 10, 12)),  # rounded to whole pixels
        ("rotate=0..30", (0, 6, 12, 18, 24, 30)),
        ("noise=0..0.3/6", (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)),
        ("rotate=10..20/2", (0, 10, 15, 20)),  # 0 is always measured
        ("fgsm=0.1", (0, 0.1)),
        ("pgd=0.2,0.1,0.2", (0, 0.1, 0.2)),
        ("shift=3..3", (0, 3)),
    ],
)
def test_the_strengths_of_a_word(word: str, strengths: tuple[float, ...]) -> None:
    (sweep,) = parse_sweeps([word])
    assert sweep.disturbance is DISTURBANCES[word.partition("=")[0]]
    assert sweep.strengths == strengths


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["rotat=0..30"], "no disturbance is named rotat", "did you mean rotate?"),
        (["shift=4..0"], "ends below its start", "write shift=0..4"),
        (["shift=-2..2"], "the strength -2 is negative", "begin at 0"),
        (["shift=0..x"], "shift=0..x: x is no strength", "write shift=0..1"),
        (["noise=nan"], "nan is no strength", "write noise=0..1"),
        (["noise=1e999"], "1e999 is no strength", "write noise=0..1"),
        (["noise"], "noise has no strengths", "write noise=0..1"),
        (["noise=0.."], "noise=0.. lacks a strength", "write noise=0..1"),
        (["shift=0..4/0"], "/0: 0 is no number of steps", "write 1 to 100"),
        (["shift=0..4/101"], "101 is no number of steps", "write 1 to 100"),
        (["occlude=0..1/2,5"], "2,5 is no number of steps", "write 1 to 100"),
        (["occlude=1.5"], "has fractions", "use whole numbers"),
        (["shift=1", "shift=2"], "shift is given twice", "list all strengths at once"),
    ],
)
def test_what_is_no_strength_is_refused(words: list[str], message: str, hint: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_sweeps(words)
    (fault,) = caught.value.faults
    assert message in fault.message
    assert hint in fault.hint


def test_steps_of_an_attack_are_for_pgd() -> None:
    plain, stepping = parse_sweeps(["fgsm=0.1", "pgd=0.1"], attack_steps=3)
    assert plain == parse_sweeps(["fgsm=0.1"])[0]
    assert stepping.disturbance == DISTURBANCES["pgd"].with_steps(3) != DISTURBANCES["pgd"]
    with pytest.raises(FaultError, match="--attack-steps is for pgd"):
        parse_sweeps(["fgsm=0.1"], attack_steps=3)


@pytest.mark.parametrize(
    ("word", "form", "shape", "hint"),
    [
        ("rotate=5", "signals", (2, 9), "use shift, noise, fgsm, pgd"),
        ("shift=1", "vectors", (4,), "use noise, fgsm, pgd"),
        (
            "brightness=1",
            "maps",
            (2, 8, 8),
            "use shift, rotate, scale, noise, blur, occlude, fgsm, pgd",
        ),
        ("fgsm=1.5", "pictures", (1, 8, 8), "use strengths up to 1"),
        ("occlude=9", "pictures", (1, 8, 8), "use strengths up to 8"),
        ("blur=3", "pictures", (1, 8, 8), "use strengths up to 2"),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(
    word: str, form: Form, shape: Shape, hint: str
) -> None:
    (sweep,) = parse_sweeps([word])
    with pytest.raises(FaultError) as caught:
        sweep.check(shape, form)
    assert hint in caught.value.faults[0].hint
