"""Templates: what a use becomes, and what is told of one that is wrong."""

from typing import Any

import pytest

from cnnctl.config.parsing import parse
from cnnctl.config.source import homeward
from cnnctl.config.templates import expand
from cnnctl.errors import FaultError, dotted

BASIC = """
blocks:
  basic:
    parameters: {width, stride: 1}
    layers:
      - conv: {out_channels: $width, stride: $stride}
      - relu
"""


def expanded(text: str) -> Any:
    return expand(parse(text, origin="x.yaml"), kinds=["conv", "relu"]).plain()


def told(text: str) -> str:
    with pytest.raises(FaultError) as raised:
        expanded(text)
    return str(raised.value)


def test_a_use_becomes_the_layers_with_the_parameters_in_place() -> None:
    found = expanded(f"{BASIC}layers: [basic: {{width: 8, stride: 2}}, basic: 4]")
    assert [item["sequence"]["name"] for item in found["layers"]] == ["basic1", "basic2"]
    first, second = (item["sequence"]["layers"][0]["conv"] for item in found["layers"])
    assert first == {"out_channels": 8, "stride": 2}
    assert second == {"out_channels": 4, "stride": 1}
    assert "blocks" not in found


def test_a_template_of_one_layer_is_that_layer() -> None:
    text = "blocks: {a: {parameters: [n], layers: [conv: {out_channels: $n}]}}\nlayers: [a: 3]"
    assert expanded(text)["layers"] == [{"conv": {"out_channels": 3, "name": "a1"}}]


def test_a_use_may_have_a_name_of_its_own() -> None:
    found = expanded(f"{BASIC}layers: [basic: {{width: 8, name: stem}}]")
    assert found["layers"][0]["sequence"]["name"] == "stem"


def test_templates_are_made_of_templates() -> None:
    text = BASIC + "  twice:\n    parameters: {w}\n    layers: [basic: $w, basic: {width: $w}]\n"
    found = expanded(f"{text}layers: [twice: 5]")
    inner = found["layers"][0]["sequence"]["layers"]
    assert [item["sequence"]["layers"][0]["conv"]["out_channels"] for item in inner] == [5, 5]


def test_a_parameter_may_be_layers() -> None:
    text = "blocks: {a: {parameters: {body}, layers: [b: {layers: $body}, relu]}}\n"
    found = expanded(f"{text}layers: [a: {{body: [relu, relu]}}]")
    assert found["layers"][0]["sequence"]["layers"][0] == {"b": {"layers": ["relu", "relu"]}}


def test_a_node_knows_its_template_and_its_use() -> None:
    root = expand(parse(f"{BASIC}layers:\n- basic: 8\n", origin="x.yaml"), kinds=[])
    path = ("layers", 0, "sequence", "layers", 0, "conv", "stride")
    node = root.child("layers")
    for step in path[1:]:
        assert node is not None
        node = node.child(step)
    assert node is not None
    assert dotted(homeward(root, path)) == "blocks.basic.layers.0.conv.stride"
    layer = root.child("layers").child(0).child("sequence").child("layers")  # type: ignore[union-attr]
    assert str(layer.child(0).place) == "x.yaml:6:9, used at x.yaml:9:3"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{BASIC}layers: [basic]", "basic needs width"),
        (f"{BASIC}layers: [basic: {{widht: 3}}]", "did you mean width?"),
        ("blocks: {a: {layers: [relu]}}\nlayers: [a: 3]", "a has no parameters"),
        ("blocks: {a: {layers: [a]}}\nlayers: [a]", "a uses itself: a -> a"),
        ("blocks: {a: {layers: [b]}, b: {layers: [a]}}\nlayers: [a]", "a -> b -> a"),
        (
            "blocks: {a: {parameters: [n], layers: [conv: $m]}}\nlayers: [a: 1]",
            "no parameter named m",
        ),
        ("blocks: {conv: {layers: [relu]}}\nlayers: [conv]", "already the name of a layer kind"),
        ("blocks: {a: {layers: []}}\nlayers: [a]", "a has no list of layers"),
        ("blocks: {a: {layer: [relu], layers: [relu]}}\nlayers: [a]", "did you mean layers?"),
        ("blocks: [a]\nlayers: [a]", "is not a mapping of names"),
        ("blocks: {a: {layers: [relu]}}\nlayers: [conv: $n]", "is used outside a template"),
    ],
)
def test_what_is_wrong_is_reported(text: str, fault: str) -> None:
    assert fault in told(text)


def test_all_that_is_wrong_is_reported_at_once() -> None:
    text = """
blocks:
  relu: {layers: [tanh]}
  a: {parameters: {n}, layers: [conv: $m, conv: $m]}
  b: {layers: [b]}
layers: [a, a: {k: 1}, b, conv: $n, a: 3]
"""
    with pytest.raises(FaultError) as caught:
        expand(parse(text, origin="x.yaml"), kinds=["relu", "conv"])
    assert [(dotted(fault.path), fault.message) for fault in caught.value.faults] == [
        ("blocks.relu", "relu is already the name of a layer kind"),
        ("blocks.a.layers.0.conv", "a has no parameter named m"),
        ("blocks.a.layers.1.conv", "a has no parameter named m"),
        ("layers.0.a", "a needs n"),
        ("layers.1.a.k", "a has no such parameter"),
        ("blocks.b.layers.0", "b uses itself: b -> b"),
        ("layers.3.conv", "$n is used outside a template"),
    ]


@pytest.mark.parametrize("count", [7, pytest.param(14, marks=pytest.mark.long)])
def test_templates_that_all_use_each_other_are_reported(count: int) -> None:
    names = [f"t{n}" for n in range(count)]
    uses = {name: ", ".join(other for other in names if other != name) for name in names}
    blocks = ", ".join(f"{name}: {{layers: [{uses[name]}]}}" for name in names)
    text = told(f"blocks: {{{blocks}}}\nlayers: [t0]")
    assert "t0 uses itself: t0 -> t1 -> t0" in text
    assert "more than" not in text


def test_a_template_that_is_not_used_is_read_all_the_same() -> None:
    text = "blocks: {a: {parameters: [n], layers: [conv: $m]}}\nlayers: [relu]"
    assert "a has no parameter named m" in told(text)


def test_templates_that_multiply_are_bounded() -> None:
    uses = "{layers: [" + ", ".join(["LOWER"] * 10) + "]}"
    blocks = ["t0: {layers: [relu, relu]}"]
    blocks += [f"t{n + 1}: {uses.replace('LOWER', f't{n}')}" for n in range(8)]
    text = "blocks: {" + ", ".join(blocks) + "}\nlayers: [t8]"
    assert "templates expand to more than" in told(text)


WRAPPED = """
blocks:
  wrapped:
    parameters: {body: [], width: 3}
    layers:
      - $body
      - conv: $width
      - $body
"""


def test_a_parameter_that_is_a_list_expands_to_its_items() -> None:
    (found,) = expanded(f"{WRAPPED}layers: [wrapped: {{body: [relu, conv: 2]}}]")["layers"]
    body = ["relu", {"conv": 2}]
    assert found["sequence"]["layers"] == [*body, {"conv": 3}, *body]


def test_templates_may_be_used_in_the_list_that_another_one_gets() -> None:
    (found,) = expanded(
        f"{WRAPPED}  plain: {{layers: [relu, relu]}}\nlayers: [wrapped: {{body: [plain]}}]"
    )["layers"]
    kinds = [next(iter(item)) for item in found["sequence"]["layers"]]
    assert kinds == ["sequence", "conv", "sequence"]


def test_an_empty_list_leaves_nothing_behind() -> None:
    (found,) = expanded(f"{WRAPPED}layers: [wrapped]")["layers"]
    assert found == {"sequence": {"name": "wrapped1", "layers": [{"conv": 3}]}}
