"""Numbers and tensors as text."""

from __future__ import annotations

import pytest
import torch

from cnnctl.optim.working import Part
from cnnctl.tracing.numbers import Style, lines_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0000"),
        (-0.00001, "-1.000e-05"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (123456.0, "1.235e+05"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers_keep_their_digits(value: float, text: str) -> None:
    assert Style().number(value) == text


def test_a_row_has_one_notation() -> None:
    assert Style().row([1.0, 1e-6]) == ["1.0000", "0.0000"]
    assert Style(2).row([1e-6, -2e-7]) == ["1.0e-06", "-2.0e-07"]


def test_small_tensors_are_shown_in_full() -> None:
    lines = list(lines_of(torch.arange(6.0).reshape(2, 3), Style()))
    assert [(line.index, line.values) for line in lines] == [
        ("[0]", (0.0, 1.0, 2.0)),
        ("[1]", (3.0, 4.0, 5.0)),
    ]


def test_large_tensors_are_summed_up() -> None:
    value = torch.zeros(2, 10, 20)
    value[0, 1, :3] = torch.tensor([1.0, 2.0, 397.0])
    first, *corner = lines_of(value, Style(2))
    assert first.said == "2x10x20: 0.00 to 397.00, mean 1.00, 99 % zeros"
    assert [line.index for line in corner] == ["[0, 0]", "[0, 1]", "[0, 2]"]
    assert corner[1].values == (1.0, 2.0, 397.0)


def test_the_sum_of_many_parts_is_cut() -> None:
    parts = [Part("{}²", (float(n),), float(n * n)) for n in range(-1, 9)]
    assert Style(1).sum_of(parts[:2], 2) == "((-1.0)² + 0.0²) / 2"
    assert Style(1).sum_of(parts, 1) == "(-1.0)² + 0.0² + 1.0² … (10 terms)"
    logs = [Part("-ln {}", (0.5,), 0.7), Part("-ln(1 - {})", (0.25,), 0.3)]
    assert Style(2).sum_of(logs, 1) == "-ln 0.50 - ln(1 - 0.25)"
