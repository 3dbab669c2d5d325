"""The docstring of a source: what the network takes and returns, and how it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from torch import nn

from cnnctl.experiment import Task
from cnnctl.export.source.expressions import WIDTH, written
from cnnctl.model.layer import Shape
from cnnctl.model.modules import Auxiliary
from cnnctl.version import __version__

_LONGEST_TITLE = 30
_NOUNS = {1: "vectors", 2: "signals", 3: "images"}


def docstring_of(
    title: str,
    class_name: str,
    network: nn.Module,
    shape: Shape,
    tasks: Sequence[Task],
    *,
    weights: str,
) -> str:
    """The docstring of a source, without quotes.

    Args:
        shape: that of a sample.
        weights: the name of the file with the weights.
    """
    inputs = f"{_NOUNS.get(len(shape), 'samples')} ({', '.join(map(str, ('N', *shape)))})"
    count = sum(parameter.numel() for parameter in network.parameters())
    asides = [name for name, part in network.named_modules() if isinstance(part, Auxiliary)]
    paragraphs = [
        f"{_shortened(title)}: {inputs} in, {_outputs(tasks)} out.",
        *([_heads(tasks)] if tasks[0].name else []),
        *(
            [f"In training, the outputs of {' and '.join(asides)} come with them."]
            if asides
            else []
        ),
        f"Written by cnnctl {__version__}; {count:,} parameters, which are loaded by:",
    ]
    text = "\n\n".join(fill(paragraph, WIDTH) for paragraph in paragraphs)
    return _escaped(
        f"""\
{text}

    from safetensors.torch import load_file
    model = {class_name}().eval()
    model.load_state_dict(load_file({written(weights)}))
"""
    )


def _shortened(title: str) -> str:
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"


def _outputs(tasks: Sequence[Task]) -> str:
    return "a dict of outputs" if tasks[0].name else _output(tasks[0])


def _output(task: Task) -> str:
    return f"{task.loss.outputs.replace('_', ' ')} (N, {task.output[0]})"


def _heads(tasks: Sequence[Task]) -> str:
    *most, last = (f"{task.name}, {_output(task)}" for task in tasks)
    return f"The outputs are {'; '.join(most)}{'; and ' if most else ''}{last}."


def _escaped(text: str) -> str:
    """Text within the quotes of a docstring."""
    shown = "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
    return shown.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
