import re

import pytest
from pydantic import ValidationError

from cnnctl.config.choice import Choice
from cnnctl.config.wording import describe, exact, shape_of_sample

KINDS = [kind for family in Choice.families.values() for kind in family.kinds.values()]
EXPONENT = re.compile(r"\de[+]?\d")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3_000_000, "3000000"),
        (1e6, "1000000"),
        (2.0**53 - 1, "9007199254740991"),
        (-2.0, "-2"),
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_written_with_all_its_digits(number: float, text: str) -> None:
    assert exact(number) == text


@pytest.mark.parametrize(
    ("shape", "text"),
    [([1], "1 feature"), ([2000], "2,000 features"), ([2, 119], "2x119"), ([3, 32, 8], "3x32x8")],
)
def test_the_shape_of_a_sample_is_named(shape: list[int], text: str) -> None:
    assert shape_of_sample(shape) == text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.family}.{kind.kind}")
def test_every_bound_is_named_with_all_its_digits(kind: type[Choice]) -> None:
    for option in kind.fields():
        for value in (10**12, -(10**12), 1e12, -1e12):
            try:
                kind.model_validate({option: value})
            except ValidationError as error:
                details = [each for each in error.errors() if each["loc"][:1] == (option,)]
                if details:
                    assert not EXPONENT.search(describe(details)[1])
