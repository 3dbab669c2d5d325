"""Receptive fields, held against the pixels that the gradient of an output reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.errors import FaultError
from cnnctl.inspection import gather
from cnnctl.model import network
from cnnctl.model.block import Block
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.layers.shape import Permute
from cnnctl.model.modules import Step
from cnnctl.model.network import Model, NetworkPlan
from cnnctl.model.receptive_field import ReceptiveField
from tests.examples import BLOCKS, EXAMPLES, LEAVES, example

Architecture = Callable[..., NetworkPlan]
Pixels = tuple[tuple[int, int], ...]
"""The first and the last pixel along each side."""


class WindowMean(nn.Module):
    """A mean where a maximum was: its gradient reaches the whole window."""

    def __init__(self, pool: nn.MaxPool1d | nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, input: Tensor) -> Tensor:
        sides = self.pool(input).shape[2:]
        kernel, stride, padding, dilation = (
            value if isinstance(value, tuple) else (value,) * len(sides)
            for value in (
                self.pool.kernel_size, self.pool.stride, self.pool.padding, self.pool.dilation,
            )
        )  # fmt: skip
        room = [end for pad in reversed(padding) for end in (pad, pad + 20)]
        convolve = functional.conv1d if len(sides) == 1 else functional.conv2d
        weight = torch.ones(input.shape[1], 1, *kernel, dtype=input.dtype)
        mean = convolve(
            functional.pad(input, room), weight, None, stride, 0, dilation, input.shape[1]
        )
        kept: tuple[Any, ...] = (..., *(slice(side) for side in sides))
        return mean[kept]


def measurable(plan: NetworkPlan) -> nn.Sequential:
    """The network with positive weights and means for maxima, whose gradient is all there."""
    built = network.build(plan, seed=0).eval().double()
    generator = torch.Generator().manual_seed(0)
    for parameter in built.parameters():
        nn.init.uniform_(parameter.data, 0.1, 1.0, generator=generator)
        parameter.data /= max(1, parameter[0].numel())
    for module in list(built.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool1d | nn.MaxPool2d):
                setattr(module, name, WindowMean(child))
            elif isinstance(child, nn.AdaptiveMaxPool2d):
                setattr(module, name, nn.AdaptiveAvgPool2d(child.output_size))
            elif isinstance(child, Step):  # whose gradient is 0
                setattr(module, name, nn.Identity())
    for name in stretched(plan):
        built.get_submodule(name).register_forward_hook(lambda _, __, output: output.detach())
    return built


def stretched(plan: NetworkPlan) -> Iterator[str]:
    """The layers whose outputs are factors of a whole image, which fields leave out."""
    for planned, _ in plan.nested():
        if isinstance(planned.layer, Block) and planned.layer.joining == "multiply":
            for branch in planned.layer.given(None, planned.branches):
                if branch and branch.layers and branch.output[1:] != planned.output[1:]:
                    yield branch.layers[-1].name


def measured(plan: NetworkPlan, names: list[str]) -> Iterator[tuple[str, tuple[int, ...], Pixels]]:
    """Layers, outputs in their middle, and the pixels of the input that each depends on."""
    built, outputs = measurable(plan), dict[str, Tensor]()
    generator = torch.Generator().manual_seed(0)
    for name in names:
        built.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: outputs.update({name: output}), prepend=True
        )
    # numbers at which every activation has a slope, and weights under which they stay there
    images = 0.1 + 0.8 * torch.rand(1, *plan.input, dtype=torch.float64, generator=generator)
    built(images.requires_grad_())
    for name, output in outputs.items():
        # softmax sums to one
        weights = torch.rand(output.shape[1], dtype=torch.float64, generator=generator)
        middle = [side // 2 for side in output.shape[2:]]
        for step in range(-1, 3):  # neighbours differ behind upsampling
            at = tuple(
                min(max(place + step, 0), side - 1)
                for place, side in zip(middle, output.shape[2:], strict=True)
            )
            pixel: tuple[Any, ...] = (0, slice(None), *at)
            seen = (output[pixel] * weights).sum()
            (gradient,) = torch.autograd.grad(seen, images, retain_graph=True)
            yield name, at, pixels(gradient[0])


def pixels(gradient: Tensor) -> Pixels:
    """Where a gradient (C, *sides) is not zero, side by side."""
    places = gradient.abs().sum(dim=0).nonzero()
    if not len(places):
        return ()
    return tuple(zip(places.amin(dim=0).tolist(), places.amax(dim=0).tolist(), strict=True))


def foretold(field: ReceptiveField, at: tuple[int, ...]) -> Pixels:
    return tuple(span.of(place) for span, place in zip(field.spans, at, strict=True))


def is_inside(seen: Pixels, input: Shape) -> bool:
    """Whether pixels lie in the input, with nothing of them in the padding."""
    sides = zip(seen, input[1:], strict=True)
    return all(first >= 0 and last < side for (first, last), side in sides)


def hold(plan: NetworkPlan) -> int:
    """Hold every field against what is measured; the number of outputs that were."""
    rows = [row for row in gather(plan, batch_size=1).rows if len(row.output) > 1]
    fields = {row.name: row.field for row in rows if row.field}
    assert len(fields) == len(rows)
    checked = 0
    for name, at, seen in measured(plan, list(fields)):
        expected = foretold(fields[name], at)
        if is_inside(expected, plan.input):
            assert seen == expected, (name, at)
            checked += 1
    return checked


def leaning(before: int, after: int) -> dict[str, Any]:
    """A convolution that sees this many pixels before its own, and after it."""
    pad = {"zero_pad": [before, after, before, after]}
    conv = {"conv": {"out_channels": 2, "kernel_size": before + after + 1}}
    return {"sequence": [pad, conv]}


def test_branches_that_lean_apart_see_all_that_each_sees(architecture: Architecture) -> None:
    block = {"branches": {"ways": [[leaning(3, 0)], [leaning(0, 3)]], "join": "add"}}
    plan = architecture(block, input=(1, 32, 32))
    field = gather(plan, batch_size=1).rows[0].field
    assert field is not None
    assert (field.size, field.start) == ((7, 7), (-3, -3))
    assert hold(plan)


def test_what_is_added_sees_what_the_layers_and_the_shortcut_see(
    architecture: Architecture,
) -> None:
    block = {"residual": {"layers": [leaning(2, 0)], "shortcut": [leaning(0, 1)]}}
    plan = architecture({"max_pool": 2}, block, input=(2, 24, 24))
    field = gather(plan, batch_size=1).rows[1].field
    assert field is not None
    assert (field.size, field.stride, field.start) == ((8, 8), (2, 2), (-4, -4))
    assert hold(plan)


def test_the_field_goes_on_through_layers_that_are_repeated(architecture: Architecture) -> None:
    """Each time at another size."""
    conv = {"conv": {"out_channels": 2, "stride": 2, "padding": 1}}
    plan = architecture({"repeat": {"times": 3, "layers": [conv]}}, input=(1, 64, 64))
    sizes = [row.field.size[0] for row in gather(plan, batch_size=1).rows if row.field]
    assert sizes == [15, 3, 7, 15]
    assert hold(plan)


VARIANTS: dict[str, list[Any]] = {
    "kernel_size": [4, [2, 3]],
    "stride": [2, 3],
    "padding": [1, "same", "valid", [0, 1], [2, 0, 1, 3]],
    "dilation": [2, 3],
    "output_padding": [1],
    "ceil_mode": [True],
    "output_size": [1, 7, 10],
    "size": [9, 37, [40, 44]],
    "scale_factor": [2.0, 1.5, 0.5, [3.0, 2.0]],
    "mode": ["nearest", "nearest-exact", "bilinear", "bicubic"],
    "align_corners": [True],
    "padding_mode": ["reflect", "replicate", "circular"],
    "dims": [[1, 2, 3]],
}
"""Values of options that move or widen a window, whatever kind has them."""


def variants(kind: str) -> list[dict[str, Any]]:
    """The kind as it comes, with each of these options, and with each two of them."""
    table = [
        (option, value)
        for option in Layer.kinds[kind].fields()
        for value in VARIANTS.get(option, [])
    ]
    needed = EXAMPLES.get(kind, {})
    found = [needed, *({**needed, option: value} for option, value in table)]
    found += [needed | {a: x, b: y} for a, x in table for b, y in table if a < b]
    if kind == "upsample":
        found = [case for case in found if ("size" in case) != ("scale_factor" in case)]
        found += [
            {k: v for k, v in case.items() if k != "scale_factor"} | {"size": size}
            for case in list(found)
            for size in VARIANTS["size"]
        ]
    return found


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS])
def test_every_kind_sees_what_its_gradient_reaches(kind: str, architecture: Architecture) -> None:
    checked = 0
    for options in variants(kind):
        with suppress(FaultError, ValidationError):
            plan = architecture({kind: options}, input=(4, 29, 31))
            if sees_all(plan) or has_gaps(plan):
                continue
            checked += hold(plan)
    assert checked or not has_field(kind, architecture)


def has_field(kind: str, architecture: Architecture) -> bool:
    """Whether numbers have a place behind this kind, and not all of the image is measured."""
    try:
        plan = architecture(example(kind), input=(4, 29, 31))
    except FaultError:
        return False  # it takes vectors
    return len(plan.output) == 3 and not sees_all(plan)


def sees_all(plan: NetworkPlan) -> bool:
    """Whether it is a norm over the whole image, which fields leave out."""
    return plan.layers[0].layer.role == "normalization" and all(
        seen == tuple((0, side - 1) for side in plan.input[1:])
        for _, _, seen in measured(plan, [plan.layers[0].name])
    )


def has_gaps(plan: NetworkPlan) -> bool:
    """Whether nothing is said of the field, as some outputs see nothing or are not in order."""
    if len(plan.output) == 1 or gather(plan, batch_size=1).rows[0].field is not None:
        return False
    if isinstance(plan.layers[0].layer, Permute):  # whose sides are others than before
        return True
    seen = [pixels for _, _, pixels in measured(plan, [plan.layers[0].name])]
    steps = [pair for side in zip(*seen, strict=all(seen)) for pair in pairwise(side)]
    assert not all(seen) or any(one[0] > next_[0] or one[1] > next_[1] for one, next_ in steps)
    return True


few = st.integers(0, 3)


@st.composite
def units(draw: st.DrawFn, sides: int, stride: int) -> list[Any]:
    """Layers that divide every side by `stride`, rounded up, and may lean to any end."""
    if stride == 1 and draw(st.booleans()):
        same = {"out_channels": 2, "kernel_size": draw(st.integers(1, 4)), "padding": "same"}
        return [{"conv": {**same, "dilation": draw(st.integers(1, 2))}}]
    ends = [(draw(few), draw(few)) for _ in range(sides)]
    kernel = [before + after + 1 for before, after in ends]
    window = {"kernel_size": kernel if sides > 1 else kernel[0], "stride": stride}
    kinds: list[Any] = [{"conv": {"out_channels": 2, **window}}, {"avg_pool": window}]
    pad = {"zero_pad": [end for pair in reversed(ends) for end in pair]}
    return [pad, draw(st.sampled_from([*kinds, {"max_pool": window}]))]


@st.composite
def branches(draw: st.DrawFn, sides: int, strides: list[int], deep: bool) -> list[Any]:
    """A chain with these strides; all such chains give the same sides."""
    layers = [layer for stride in strides for layer in draw(units(sides, stride))]
    if deep:
        layers.append(draw(blocks(sides, [1], deep=False)))
    return [*layers, {"conv": {"out_channels": 2, "kernel_size": 1}}]


@st.composite
def blocks(draw: st.DrawFn, sides: int, strides: list[int], deep: bool) -> dict[str, Any]:
    """A block whose ways have these strides and lean to different ends."""
    kind = draw(st.sampled_from(["branches", "residual", "dense", "repeat"]))
    if kind == "dense" and 2 not in strides:
        steps = [{"sequence": draw(branches(sides, strides, deep))} for _ in range(draw(few) or 1)]
        return {"dense": {"layers": steps}}
    if kind == "repeat":
        return {
            "repeat": {"times": len(strides), "layers": draw(branches(sides, strides[:1], deep))}
        }
    if kind == "residual":
        body, around = draw(branches(sides, strides, deep)), draw(branches(sides, strides, False))
        shortcut = draw(st.sampled_from(["auto", "projection", around]))
        return {"residual": {"layers": body, "shortcut": shortcut, "activation": "relu"}}
    chains = [draw(branches(sides, strides, deep)) for _ in range(draw(st.integers(2, 3)))]
    join = draw(st.sampled_from(["add", "mean", "concatenate", "multiply"]))
    return {"branches": {"ways": chains, "join": join}}


upsamplings = st.sampled_from(
    [{"scale_factor": 2.0}, {"scale_factor": 3.0, "mode": "nearest-exact"}]
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Shape, list[Any]]:
    """Chains of blocks, pooling and upsampling, on images and signals."""
    sides = draw(st.integers(1, 2))
    layers: list[Any] = [{"conv": {"out_channels": 2, "kernel_size": 1}}]
    for _ in range(draw(st.integers(1, 3))):
        strides = draw(st.sampled_from([[1], [2], [1, 1], [2, 1]]))
        layers.append(draw(blocks(sides, strides, deep=draw(st.booleans()))))
        layers.append({"conv": {"out_channels": 2, "kernel_size": 1}})
        if draw(st.integers(0, 3)) == 0:
            layers.append({"upsample": draw(upsamplings)})
        if draw(st.integers(0, 3)) == 0:
            window = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
            layers.append({"max_pool": window})
    return (1, *((61, 53) if sides == 2 else (157,))), layers


def hold_random(drawn: tuple[Shape, list[Any]]) -> None:
    shape, layers = drawn
    model = Model.model_validate({"layers": layers})
    assert hold(network.plan(model, input=shape, classes=2))


@settings(max_examples=6, deadline=None, database=None, derandomize=True)
@given(drawn=networks())
def test_random_networks_see_what_a_gradient_reaches(drawn: tuple[Shape, list[Any]]) -> None:
    hold_random(drawn)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(drawn=networks())
def test_many_random_networks_see_what_a_gradient_reaches(drawn: tuple[Shape, list[Any]]) -> None:
    hold_random(drawn)
