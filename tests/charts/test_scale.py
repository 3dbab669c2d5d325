import pytest

from cnnctl.charts.scale import Scale, labels


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0.0, 1.0, 5, [0.0, 0.5, 1.0]),
        (0.0, 1.0, 6, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (1.0, 30.0, 6, [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]),
        (0.1, 0.3, 3, [0.1, 0.2, 0.3]),
        (-2.5, 2.5, 5, [-2.0, -1.0, 0.0, 1.0, 2.0]),
        (1e6, 1e6 + 3, 4, [1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3]),
    ],
)
def test_ticks_are_round_numbers_inside_the_range(
    low: float, high: float, most: int, expected: list[float]
) -> None:
    assert Scale(low, high).ticks(most=most) == expected


@pytest.mark.parametrize("most", range(1, 12))
@pytest.mark.parametrize("high", [0.7, 1.0, 1.3, 9.99, 1234.5, 3e-7])
def test_there_are_never_more_ticks_than_asked_for(most: int, high: float) -> None:
    ticks = Scale(0.0, high).ticks(most=most)
    assert len(ticks) <= most
    assert all(0 <= tick <= high * (1 + 1e-9) for tick in ticks)
    assert len(ticks) >= most // 3


def test_a_logarithmic_axis_has_powers_of_ten() -> None:
    scale = Scale(0.5, 200.0, is_log=True)
    assert scale.ticks(most=4) == [1.0, 10.0, 100.0]
    assert scale.place(10.0) == pytest.approx(0.5)
    assert Scale(0.02, 0.05, is_log=True).ticks(most=4) == [0.02, 0.03, 0.04, 0.05]


def test_a_scale_of_one_value_is_around_it() -> None:
    assert Scale.of([3.0, 3.0]) == Scale(1.5, 4.5)
    assert Scale.of([0.0]) == Scale(-1.0, 1.0)
    assert Scale.of([0.1], is_log=True).place(0.1) == pytest.approx(0.5)


def test_labels_have_as_many_digits_as_they_need() -> None:
    assert labels([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert labels([1000.0, 2000.0]) == ["1,000", "2,000"]
    assert labels([1e-5, 1e-3]) == ["1e-5", "0.001"]
