from collections.abc import Callable

import pytest

from cnnctl.model.layer import Layer, Shape, describe_shape


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((120,), "a vector of 120"),
        ((1, 28, 28), "1 channel of 28x28"),
        ((16, 5, 6), "16 channels of 5x6"),
        ((2, 100), "2 channels of 100"),
    ],
)
def test_a_shape_in_words(shape: Shape, words: str) -> None:
    assert describe_shape(shape) == words


def test_classes_are_as_many_as_the_data_has() -> None:
    layer = Layer.read({"linear": {"out_features": "classes", "name": "classes"}})
    known = layer.with_classes(7)
    assert known.options()["out_features"] == 7
    assert known.name == "classes"


@pytest.mark.parametrize("name", ["train", "forward", "training", "_modules", "append"])
def test_a_name_that_a_module_has_already_is_refused(
    name: str, faults_of: Callable[..., list[str]]
) -> None:
    assert faults_of(f"{{layers: [flatten: {{name: {name}}}]}}") == [
        f"model.layers.0.flatten.name: {name} is reserved by nn.Module\n"
        f"    use another name, such as my_{name}"
    ]


@pytest.mark.parametrize("name", ["a.b", "1st", '"a\\n"', "''", "a b"])
def test_a_name_is_a_word(name: str, faults_of: Callable[..., list[str]]) -> None:
    (fault,) = faults_of(f"{{layers: [flatten: {{name: {name}}}]}}")
    assert fault.endswith(
        "is not a valid layer name\n    use letters, digits and _, starting with a letter"
    )
