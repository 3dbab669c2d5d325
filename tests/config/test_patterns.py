"""Names are chosen by patterns, with all that is below them."""

import pytest

from cnnctl.config.patterns import Names, unmatched

NAMES = ["conv1.weight", "conv1.bias", "conv10.weight", "block1.conv1.weight", "linear1.bias"]


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("conv1", [0, 1]),
        ("conv*", [0, 1, 2]),
        ("block1", [3]),
        ("block1.conv1", [3]),
        ("*conv1", [0, 1, 3]),
        ("*.bias", [1, 4]),
        ("conv1.weight", [0]),
        ("Conv1", []),
        ("conv", []),
        ("*", [0, 1, 2, 3, 4]),
    ],
)
def test_a_pattern_chooses_layers_with_all_below_and_weights(
    pattern: str, chosen: list[int]
) -> None:
    assert Names(NAMES).select(pattern) == [NAMES[index] for index in chosen]


def test_a_misspelt_name_is_told_the_nearest() -> None:
    [fault] = unmatched([(("model", "freeze", 0), "block1.cnv1")], NAMES)
    assert str(fault) == (
        "model.freeze.0: no layer with weights is named block1.cnv1\n    did you mean block1.conv1?"
    )


def cure_of(pattern: str, names: list[str]) -> str:
    [fault] = unmatched([((), pattern)], names)
    return fault.hint


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("layer1", "net.layer1"),
        ("layr1", "net.layer1"),
        ("conv2", "net.layer1.conv2"),
        ("fc", "net.fc"),
    ],
)
def test_a_name_within_a_layer_is_found_by_its_end(written: str, meant: str) -> None:
    names = ["net.layer1.conv2.weight", "net.layer2.conv2.weight", "net.fc.bias"]
    assert cure_of(written, names) == f"did you mean {meant}?"


def test_a_name_like_none_is_told_the_first_few() -> None:
    names = [f"layer{index}.weight" for index in range(30)]
    hint = cure_of("xyz", names)
    assert "layer9 and 20 more" in hint
    assert "layer10" not in hint
