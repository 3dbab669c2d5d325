"""Modules as calls: the class of a module and its arguments, and the function in its place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Protocol

from torch import nn

from cnnctl.export.source.expressions import Argument, Call, arguments_of, written
from cnnctl.model import modules
from cnnctl.model.layer import Shape

_LEFT_OUT = ("device", "dtype", "inplace", "min_value", "max_value")
"""Arguments that do not matter here, and deprecated ones of nn.Hardtanh."""
_SIDES = (
    *("kernel_size", "stride", "padding", "dilation", "output_padding"),
    *("output_size", "size", "scale_factor"),
)
"""Arguments with a number for each side, or one for all."""


def call_of(module: nn.Module) -> Call:
    """The call that makes a module, from the signature of its class and its attributes.

    PyTorch's modules, and ours, keep each argument in an attribute of the same name.

    Raises:
        AttributeError: the module does not.
    """
    kind = type(module)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    arguments = tuple(
        _argument(module, parameter)
        for parameter in parameters
        if parameter.name not in _LEFT_OUT
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    )
    prefix = "nn." if kind.__module__.startswith("torch.nn.") else ""
    return Call(prefix + kind.__name__, arguments)


def call_to(function: str, arguments: Mapping[str, object]) -> Call:
    """A call of a function with arguments that are all given by name."""
    given = (Argument(name, value, is_named=True) for name, value in arguments.items())
    return Call(function, tuple(given))


def _argument(module: nn.Module, parameter: inspect.Parameter) -> Argument:
    name = parameter.name
    is_required = parameter.default is parameter.empty
    default = ... if is_required else parameter.default
    value = _shortened(name, getattr(module, name))
    if name == "bias":
        value = value is not None or not _is_affine(module)
    if name == "stride" and default is None and value == _shortened(name, module.kernel_size):
        value = None  # of pooling, where a window's stride is its size
    return Argument(
        name, value, default=default, is_positional=is_required and not isinstance(value, str)
    )


def _is_affine(module: nn.Module) -> bool:
    return bool(getattr(module, "affine", getattr(module, "elementwise_affine", True)))


def _shortened(name: str, value: Any) -> object:
    """An option as one would write it: a single number for equal sides."""
    if not isinstance(value, list | tuple):
        return value
    sides = tuple(value)
    is_one = name in _SIDES or (name == "normalized_shape" and len(sides) == 1)
    return sides[0] if is_one and len(set(sides)) == 1 else sides


class Function(Protocol):
    """Writes an expression in place of a module."""

    def __call__(self, text: str, call: Call, shape: Shape) -> str:
        """The expression, for the text of its input, the module's call and the input's shape."""


def _torch(name: str) -> Function:
    """A function that takes the arguments of the module's class after its input."""
    return lambda text, call, shape: f"{name}({', '.join((text, *arguments_of(call)))})"


def _over_dim(name: str) -> Function:
    return lambda text, call, shape: f"{name}({text}, dim={call.value('dim')})"


def _flatten(text: str, call: Call, shape: Shape) -> str:
    start, end = call.value("start_dim"), call.value("end_dim")
    return f"torch.flatten({text}, {start}" + (")" if end == -1 else f", {end})")


def _over_sides(name: str) -> Function:
    def write(text: str, call: Call, shape: Shape) -> str:
        sides = tuple(range(2, len(shape) + 1))
        return f"{text}.{name}(dim={written(sides if len(sides) > 1 else sides[0])})"

    return write


def _pad_channels(text: str, call: Call, shape: Shape) -> str:
    padding = (*[0, 0] * (len(shape) - 1), 0, call.value("extra"))
    return f"F.pad({text}, {written(padding)})"


def _chunk(text: str, call: Call, shape: Shape) -> str:
    return f"{text}.chunk({call.value('chunks')}, dim=1)[{call.value('index')}]"


def _permute(text: str, call: Call, shape: Shape) -> str:
    dims = call.value("dims")
    assert isinstance(dims, tuple)
    return f"{text}.permute({', '.join(map(str, (0, *dims)))})"


def _unflatten(text: str, call: Call, shape: Shape) -> str:
    return f"{text}.unflatten({call.value('dim')}, {written(call.value('unflattened_size'))})"


FUNCTIONS: Mapping[type[nn.Module], Function] = {
    nn.Identity: lambda text, call, shape: text,
    nn.ReLU: _torch("F.relu"),
    nn.ReLU6: _torch("F.relu6"),
    nn.LeakyReLU: _torch("F.leaky_relu"),
    nn.ELU: _torch("F.elu"),
    nn.CELU: _torch("F.celu"),
    nn.SELU: _torch("F.selu"),
    nn.GELU: _torch("F.gelu"),
    nn.SiLU: _torch("F.silu"),
    nn.Mish: _torch("F.mish"),
    nn.Hardswish: _torch("F.hardswish"),
    nn.Hardsigmoid: _torch("F.hardsigmoid"),
    nn.Hardtanh: _torch("F.hardtanh"),
    nn.Softplus: _torch("F.softplus"),
    nn.Softsign: _torch("F.softsign"),
    nn.LogSigmoid: _torch("F.logsigmoid"),
    nn.Tanh: _torch("torch.tanh"),
    nn.Sigmoid: _torch("torch.sigmoid"),
    nn.Softmax: _over_dim("F.softmax"),
    nn.LogSoftmax: _over_dim("F.log_softmax"),
    nn.MaxPool1d: _torch("F.max_pool1d"),
    nn.MaxPool2d: _torch("F.max_pool2d"),
    nn.AvgPool1d: _torch("F.avg_pool1d"),
    nn.AvgPool2d: _torch("F.avg_pool2d"),
    nn.AdaptiveAvgPool1d: _torch("F.adaptive_avg_pool1d"),
    nn.AdaptiveAvgPool2d: _torch("F.adaptive_avg_pool2d"),
    nn.AdaptiveMaxPool1d: _torch("F.adaptive_max_pool1d"),
    nn.AdaptiveMaxPool2d: _torch("F.adaptive_max_pool2d"),
    nn.LocalResponseNorm: _torch("F.local_response_norm"),
    nn.ChannelShuffle: _torch("F.channel_shuffle"),
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    modules.GlobalAvgPool: _over_sides("mean"),
    modules.GlobalMaxPool: _over_sides("amax"),
    modules.PadChannels: _pad_channels,
    modules.Chunk: _chunk,
    modules.Permute: _permute,
}
"""What one would write in `forward` for a module without weights, by its class."""
