from typing import Any

import pytest

from cnnctl.config.nodes import follow
from cnnctl.config.overrides import apply, read
from cnnctl.config.source import parse
from cnnctl.errors import FaultError

SOURCE = """\
optimizer: sgd
scheduler:
data: {name: digits, augment: []}
model:
  layers:
    - conv: {out_channels: 6}
    - relu
    - linear: classes
train: {epochs: 3}
"""


def overridden(*overrides: str) -> Any:
    return apply(parse(SOURCE, origin="x.yaml"), overrides).plain()


def refused(*overrides: str) -> list[str]:
    with pytest.raises(FaultError) as raised:
        overridden(*overrides)
    assert all(fault.hint for fault in raised.value.faults)
    return [str(fault) for fault in raised.value.faults]


def layers(*overrides: str) -> Any:
    return overridden(*overrides)["model"]["layers"]


def test_a_value_is_replaced() -> None:
    assert overridden("train.epochs=5")["train"] == {"epochs": 5}


def test_what_is_not_there_is_added() -> None:
    assert overridden("train.threads=2")["train"] == {"epochs": 3, "threads": 2}
    assert overridden("seed=7")["seed"] == 7
    assert overridden("regularization.ema.decay=0.9")["regularization"] == {"ema": {"decay": 0.9}}
    assert overridden("scheduler.name=cosine")["scheduler"] == {"name": "cosine"}


def test_the_last_override_wins() -> None:
    assert overridden("train.epochs=5", "train.epochs=6")["train"] == {"epochs": 6}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=1e-3", 0.001),
        ("seed=010", 10),
        ("seed=no", "no"),
        ("seed='1'", "1"),
        ("seed=", None),
        ("seed=null", None),
        ("seed=[1, {a: b}]", [1, {"a": "b"}]),
        ("seed=a=b", "a=b"),
        ("seed= two words ", "two words"),
        ("seed=größe", "größe"),
        ("seed='#1'", "#1"),
    ],
)
def test_a_value_is_read_as_yaml(text: str, value: Any) -> None:
    found = overridden(text)["seed"]
    assert (type(found), found) == (type(value), value)


def test_a_section_that_is_a_name_alone_takes_options() -> None:
    assert overridden("optimizer.lr=0.1")["optimizer"] == {"name": "sgd", "lr": 0.1}


def test_an_item_of_a_list_is_counted() -> None:
    assert layers("model.layers.0.conv.bias=false")[0] == {
        "conv": {"out_channels": 6, "bias": False}
    }
    assert layers("model.layers.1=tanh")[1] == "tanh"
    assert layers("model.layers.2.linear=10")[2] == {"linear": 10}


def test_an_item_that_is_a_kind_alone_takes_options() -> None:
    assert layers("model.layers.1.relu.name=bend")[1] == {"relu": {"name": "bend"}}


def test_the_source_is_left_as_it_was() -> None:
    root = parse(SOURCE, origin="x.yaml")
    before = root.plain()
    apply(root, ["model.layers.0.conv.bias=false", "train.epochs=9", "optimizer.lr=1"])
    assert root.plain() == before


def test_what_was_overridden_has_the_override_for_its_place() -> None:
    text = "optimizer={name: adam, betas: [0.9, 2]}"
    root = apply(parse(SOURCE, origin="x.yaml"), [text])
    for path in (("optimizer",), ("optimizer", "name"), ("optimizer", "betas", 1)):
        node, rest = follow(root, path)
        assert (str(node.place), str(node.key_place), rest) == (text, text, ())
    assert str(follow(root, ("train",))[0].place) == "x.yaml:9:8"


@pytest.mark.parametrize("text", ["epochs", "=3", "train..epochs=3", ".seed=1", "a." * 100 + "b=1"])
def test_what_is_no_override_is_refused(text: str) -> None:
    [message] = refused(text)
    assert message.startswith(f"{text}: is not an override\n")
    assert message.endswith("write it as path=value, like train.epochs=3")


def test_all_that_is_wrong_is_reported_at_once() -> None:
    assert len(refused("epochs", "model.layers.9=relu", "train.epochs=3", "seed=[")) == 3


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("model.layers.3=relu", "model.layers.3: no such list item", "numbered from 0 to 2"),
        ("model.layers.-1=relu", "model.layers.-1: no such list item", "numbered from 0 to 2"),
        ("model.layers.conv=1", "model.layers.conv: no such list item", "numbered from 0 to 2"),
        ("data.augment.0=crop", "data.augment.0: no such list item", "override the whole list"),
        (f"model.layers.{'9' * 5000}=1", "no such list item", "numbered from 0 to 2"),
        ("train.epochs.x=1", "train.epochs is 3, so it has no option x", "train.epochs={…}"),
        (
            "model.layers.2.linear.bias=false",
            "model.layers.2.linear is classes, so it has no option bias",
            "override model.layers.2.linear itself",
        ),
        ("base=other.yaml", "base can only be set in a file", "set base: in a file"),
        ("seed=[1", "is not YAML", "close the bracket"),
        ("seed=!!python/name:os.system", "tags are not supported", "remove the tag"),
        ("seed={a: 1, a: 2}", "a is given twice", "keep one of them"),
    ],
)
def test_an_override_that_cannot_be_laid_over_is_refused(
    text: str, message: str, hint: str
) -> None:
    [found] = refused(text)
    assert found.startswith(text)
    assert message in found
    assert hint in found.split("\n")[-1]


def test_an_override_is_a_path_and_a_value() -> None:
    path, value = read("model.layers.3.conv.bias=false")
    assert path == ("model", "layers", 3, "conv", "bias")
    assert value.plain() is False
