"""What surrounds a network: its classes, and the preprocessing of inputs as code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnctl.data.normalization import WHITE, Normalize
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.experiment import Task
from cnnctl.export.source.expressions import Document, Group, Item, Text, lines_of, written
from cnnctl.model.layer import Shape

FEW = 20
"""Class names that a source begins with; more are at its end."""
_NOUNS = {1: "vectors", 2: "signals", 3: "images"}


def constant(name: str, value: object) -> str:
    """An assignment of a constant."""
    return "\n".join(lines_of(_document(value), before=f"{name} = "))


def _document(value: object) -> Document:
    if isinstance(value, dict):
        pairs = (Item(f"{written(key)}: ", _document(each)) for key, each in value.items())
        return Group("{", tuple(pairs), "}", is_collection=True)
    if isinstance(value, tuple) and len(value) > 1:
        items = tuple(Item("", Text(written(each))) for each in value)
        return Group("(", items, ")", is_collection=True)
    return Text(written(value))


def class_names(tasks: Sequence[Task]) -> str:
    """The names of the classes, of each head if there are heads; empty if they are numbers."""
    named = {task.name: task.target.class_names for task in tasks}
    known = {name: names for name, names in named.items() if not _are_numbers(names)}
    if not known:
        return ""
    return constant("CLASSES", known.get("", known)) + "\n"


def _are_numbers(names: Sequence[str]) -> bool:
    return list(names) == [str(number) for number in range(len(names))]


def preprocessing_source(known: Preprocessing, shape: Shape, *, has_bytes: bool) -> list[str]:
    """`preprocess` and its constants; nothing if inputs are taken as they are stored.

    Args:
        shape: that of a sample.
        has_bytes: whether stored samples are pixels from 0 to 255.
    """
    normalize = known.normalize
    if normalize is None and not has_bytes:
        return []
    inputs, argument = (f"pixels / {WHITE}", "pixels") if has_bytes else ("x", "x")
    verbs = " and ".join(["scale"] * has_bytes + ["normalise"] * (normalize is not None))
    sizes = ", ".join(map(str, shape))
    about = f"{verbs.capitalize()} {_NOUNS[len(shape)]} (N, {sizes})"
    head = f"def preprocess({argument}: Tensor) -> Tensor:\n"
    head += f'    """{about}{" of bytes" if has_bytes else ""}."""\n'
    if normalize is None:
        return [f"{head}    return {inputs}\n"]
    view = f".view({', '.join(['-1', *['1'] * (len(shape) - 1)])})" if len(shape) > 1 else ""
    code = (
        f"    mean, std = torch.tensor(MEAN){view}, torch.tensor(STD){view}\n"
        f"    return ({inputs} - mean) / std\n"
    )
    return ["\n".join(_statistics("", normalize)) + "\n", head + code]


def values_source(known: Preprocessing, tasks: Sequence[Task]) -> list[str]:
    """`in_units`, for a network whose outputs are normalised values."""
    found = {task.name: known.normalize_targets.get(task.target.name) for task in tasks}
    normalize = found.get("")
    if normalize is None:
        return []
    code = (
        "def in_units(outputs: Tensor) -> Tensor:\n"
        '    """Outputs of the network in the units of the target."""\n'
        "    return outputs * torch.tensor(TARGET_STD) + torch.tensor(TARGET_MEAN)\n"
    )
    return ["\n".join(_statistics("TARGET_", normalize)) + "\n", code]


def _statistics(prefix: str, normalize: Normalize) -> Iterator[str]:
    yield constant(f"{prefix}MEAN", tuple(normalize.mean))
    yield constant(f"{prefix}STD", tuple(normalize.std))
