import pytest

from cnnctl.proposals.picture_config import batch_size, shows_sides


@pytest.mark.parametrize(
    "classes",
    [
        [*"0123456789"],
        [*"ABC"],
        ["digit_0", "digit_1"],
        ["zero", "one"],
        ["turn left", "stop", "yield"],
        ["Right", "up"],
        ["а", "б"],  # Cyrillic
    ],
)
def test_letters_digits_and_sides_are_not_mirrored(classes: list[str]) -> None:
    assert shows_sides(classes) in classes


@pytest.mark.parametrize(
    "classes",
    [
        ["cat", "dog"],
        ["猫", "狗"],
        ["airplane", "bright", "leftover"],
        ["big cat: #1", "dog"],
        ["001.Albatross", "002.Crow"],
        ["a", "cat", "dog"],
        ["", " "],
    ],
)
def test_everything_else_is(classes: list[str]) -> None:
    assert not shows_sides(classes)


@pytest.mark.parametrize(
    ("samples", "size"),
    [(20, "all"), (32, 8), (200, 8), (1000, 32), (3000, 128), (45_000, 128)],
)
def test_a_batch_leaves_enough_steps(samples: int, size: int | str) -> None:
    assert batch_size(samples) == size
