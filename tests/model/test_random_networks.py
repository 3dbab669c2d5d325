"""Networks and options that nobody would think of."""

from contextlib import suppress
from math import inf, nan
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cnnctl.errors import FaultError
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.network import Model, NetworkPlan, build, plan
from tests.examples import BLOCKS, OF_OTHERS

few = st.integers(1, 4)
sizes = few | st.tuples(few, few).map(list)
paddings = st.integers(0, 2)
bare = sorted(
    kind
    for kind, member in Layer.kinds.items()
    if kind != "upsample" and not any(f.is_required() for f in member.fields().values())
)


def with_options(kind: str, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(options).map(lambda chosen: {kind: chosen})


layers = st.one_of(
    st.sampled_from(bare),
    with_options(
        "conv",
        out_channels=few,
        kernel_size=sizes,
        stride=sizes,
        padding=paddings | st.sampled_from(["same", "valid"]),
        dilation=few,
        groups=st.integers(1, 2),
        padding_mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    ),
    with_options(
        "max_pool",
        kernel_size=sizes,
        stride=sizes,
        padding=paddings,
        dilation=few,
        ceil_mode=st.booleans(),
    ),
    with_options(
        "avg_pool", kernel_size=sizes, stride=sizes, padding=paddings, ceil_mode=st.booleans()
    ),
    with_options("adaptive_avg_pool", output_size=sizes),
    with_options("adaptive_max_pool", output_size=sizes),
    with_options("linear", out_features=few),
    with_options("group_norm", num_groups=few),
    with_options("local_response_norm", size=few),
    with_options("zero_pad", padding=few | st.lists(few, min_size=2, max_size=4)),
    with_options("upsample", scale_factor=st.floats(0.2, 2)),
    with_options("upsample", size=sizes),
    with_options("flatten", start_dim=few),
)
inputs = st.one_of(
    st.tuples(few, st.integers(1, 12)),
    st.tuples(few, st.integers(1, 12), st.integers(1, 12)),
    st.tuples(few),
)


@given(items=st.lists(layers, min_size=1, max_size=9), input=inputs)
@settings(max_examples=100, deadline=None)
def test_a_plan_knows_the_shapes_of_the_real_modules(items: list[Any], input: Shape) -> None:
    network = _fitting(items, input)
    modules = build(network, seed=0)
    values = torch.randn(2, *input)
    with torch.no_grad():
        for planned in network.layers:
            assert values.shape[1:] == planned.input
            values = modules.get_submodule(planned.name)(values)
            assert values.shape == (2, *planned.output)


def _fitting(items: list[Any], input: Shape) -> NetworkPlan:
    """A plan of those layers that fit what the ones before them give."""
    network = plan(Model(layers=[Layer.read("identity")]), input=input, classes=3)
    for item in items:
        kept = [planned.layer for planned in network.layers]
        model = Model(layers=[*kept, Layer.read(item)])
        with suppress(FaultError):
            network = plan(model, input=input, classes=3)
    return network


odd = st.sampled_from([-1, 0, 1, 2, 3, 7, 10**9, 10**30, 0.5, -2.5, 1e300, inf, nan, True, None])
values = odd | st.text(max_size=3) | st.lists(odd, max_size=5) | st.just({"name": "dirac"})


@given(data=st.data(), input=inputs)
@settings(max_examples=300, deadline=None)
def test_no_value_of_an_option_ends_in_a_traceback(data: st.DataObject, input: Shape) -> None:
    kind, member = data.draw(st.sampled_from(sorted(Layer.kinds.items())))
    names = st.sampled_from([*member.fields()])
    options = data.draw(st.dictionaries(names, values, max_size=3))
    with suppress(FaultError, ValidationError):
        model = Model.model_validate({"layers": [{kind: options}]})
        plan(model, input=input, classes=3)


sides = st.integers(1, 23)
larger = st.one_of(st.tuples(few, sides), st.tuples(few, sides, sides), st.tuples(sides))


@settings(max_examples=400, deadline=None)
@given(item=layers, input=larger)
def test_a_shape_that_is_told_is_the_one_that_torch_computes(item: Any, input: Shape) -> None:
    with suppress(FaultError, ValidationError):
        layer = Layer.read(item)
        module = layer.build(input).eval()
        told = layer.infer(input)
        if told is not None and min(told) > 0:
            assert tuple(module(torch.zeros(2, *input)).shape[1:]) == told


def test_every_kind_but_torchvisions_networks_tells_its_shape() -> None:
    silent = {
        kind
        for kind, member in Layer.kinds.items()
        if issubclass(member, Layer) and member.infer is Layer.infer
    }
    assert silent == {*BLOCKS, *OF_OTHERS}
