"""The data as code: splits that are those of the experiment, and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import Normalize
from cnnctl.data.samples import Split, Splits, Target
from cnnctl.errors import below, config_fault
from cnnctl.experiment import Experiment, Task
from cnnctl.export.training_source import embedded as _embedded
from cnnctl.export.training_source import file_sets as _file_sets
from cnnctl.export.training_source import published as _published
from cnnctl.export.training_source.augmenting import augmenting_source
from cnnctl.export.training_source.cutting import BY_CLASS, OF_ALL, Cut, cut_source
from cnnctl.export.training_source.layout import WIDTH, call, literal
from cnnctl.export.training_source.losses import targets_form
from cnnctl.export.training_source.reading import Needs, reading_source
from cnnctl.target import likeliest

del _embedded, _published, _file_sets  # they register what they read


@dataclass(frozen=True, slots=True)
class DataSource:
    """The data of an experiment as code."""

    constants: str
    """`normalize`, or the statistics."""
    code: str
    """`build_data()`, which returns inputs and targets on the device by the name of the split."""
    training: str
    """Inputs as they are stored, `{}`, as the network takes them in training: augmented."""
    evaluation: str
    """The same without augmentation."""


def data_source(experiment: Experiment, splits: Splits, tasks: Sequence[Task]) -> DataSource:
    """The data of an experiment with its statistics, in the splits that it has.

    Raises:
        FaultError: a dataset or an augmentation cannot be written.
    """
    data = experiment.data
    main = data.whole().targets[0]
    names = tuple(dict.fromkeys(task.target.name for task in tasks))
    if names[0] != main.name:
        message = f"a training script cuts by {main.name}, which is not the first head"
        raise config_fault(message, hint="make it the first head", path=("model", "heads"))
    is_by_class = main.kind == "class"
    tested = _counts(splits.test, main) if is_by_class else (len(splits.test),)
    with below("data"):
        reading = reading_source(data, Needs(names, tested, splits.test.samples))
    held_out = _validation(experiment, splits, main, has_columns=tasks[0].targets is not None)
    is_drawn = "hold_out(" in reading or (held_out is not None and held_out.is_drawn)
    helper = (BY_CLASS if is_by_class else OF_ALL) if is_drawn else ""
    transform, augmenting = augmenting_source(data)
    constants = [_normalizing(data), transform, held_out.constant if held_out else ""]
    parts = [helper, reading, _building(data, splits, tasks, held_out), augmenting]
    has_bytes = splits.train.samples.rows.dtype == torch.uint8
    stored = "{} / 255" if has_bytes else "{}"
    normalized = "normalize({})" if is_of_images(data) and data.normalize else "{}"
    changed = "augment({})" if augmenting else "{}"
    return DataSource(
        "\n".join(filter(None, constants)),
        "\n\n\n".join(filter(None, parts)),
        training=normalized.format(changed.format(stored)),
        evaluation=normalized.format(stored),
    )


def _validation(
    experiment: Experiment, splits: Splits, main: Target, *, has_columns: bool
) -> Cut | None:
    """What is held out of the stored training split for validation."""
    if not len(splits.validation):
        return None
    samples = splits.train.samples
    is_by_class = main.kind == "class"
    return cut_source(
        splits.validation.positions.numpy(),
        count=len(samples),
        classes=likeliest(samples.targets).numpy() if is_by_class else None,
        outputs=main.outputs,
        seed=(experiment.seed, "SEED"),
        name="VALIDATION",
        targets="targets[0]" if has_columns else "targets",
    )


def _counts(split: Split, target: Target) -> tuple[int, ...]:
    """The samples of each class."""
    counts = torch.bincount(likeliest(split.target(target.name)), minlength=target.outputs)
    return tuple(counts.tolist())


def is_of_images(data: DataSet) -> bool:
    """Whether samples are (C, H, W), of pixels or of other numbers."""
    return len(data.whole().shape) == 3


def _normalizing(data: DataSet) -> str:
    """Constants, and for images `normalize`."""
    lines = list[str]()
    normalize = data.normalize
    if isinstance(normalize, Normalize) and is_of_images(data):
        built = call("v2.Normalize", mean=normalize.mean, std=normalize.std)
        lines += ["from torchvision.transforms import v2", "", f"normalize = {built}"]
    elif isinstance(normalize, Normalize):
        view = ".view(-1, 1)" if len(data.whole().shape) == 2 else ""
        lines += ["import torch", "", f"MEAN = torch.tensor({literal(normalize.mean)}){view}"]
        lines += [f"STD = torch.tensor({literal(normalize.std)}){view}"]
    for given in data.target_normalizations.values():
        if isinstance(given, Normalize):
            lines += ["import torch", f"TARGET_MEAN = torch.tensor({literal(given.mean)})"]
            lines += [f"TARGET_STD = torch.tensor({literal(given.std)})"]
    return "\n".join(lines)


def _building(data: DataSet, splits: Splits, tasks: Sequence[Task], held_out: Cut | None) -> str:
    """`build_data()`."""
    has_columns = tasks[0].targets is not None
    lines = [
        "inputs, *targets = read_split(train=True)"
        if has_columns
        else "inputs, targets = read_split(train=True)"
    ]
    part = (
        "(inputs[{0}], *(each[{0}] for each in targets))"
        if has_columns
        else "(inputs[{0}], targets[{0}])"
    )
    kept = {"train": "(inputs, *targets)" if has_columns else "(inputs, targets)"}
    if held_out is not None:
        lines.append(f"held_out = {held_out.code}")
        kept = {"train": part.format("~held_out"), "validation": part.format("held_out")}
    if len(splits.test):
        kept["test"] = "read_split(train=False)"
    lines += ["splits = {", *(f'    "{name}": {code},' for name, code in kept.items()), "}"]
    lines += _moved(data, tasks)
    body = "\n".join(f"    {line}" for line in lines)
    return f'''\
from torch import Tensor


def build_data() -> dict[str, tuple[Tensor, Tensor]]:
    """The inputs and targets of each split, on the device."""
{body}
'''


def _moved(data: DataSet, tasks: Sequence[Task]) -> list[str]:
    """Lines that return all splits in the form that the network and the loss take."""
    is_normalized = isinstance(data.normalize, Normalize) and not is_of_images(data)
    x = "((x - MEAN) / STD)" if is_normalized else "x"
    if tasks[0].targets is not None:
        return _in_columns(data, tasks, x)
    y = targets_form(tasks[0]).format("y")
    if isinstance(data.target_normalizations.get(tasks[0].target.name), Normalize):
        y = "((y - TARGET_MEAN) / TARGET_STD)"
    moved = f"name: ({x}.to(DEVICE), {y}.to(DEVICE))"
    whole = f"return {{{moved} for name, (x, y) in splits.items()}}"
    if len(whole) + 4 <= WIDTH:
        return [whole]
    return ["return {", f"    {moved}", "    for name, (x, y) in splits.items()", "}"]


def _in_columns(data: DataSet, tasks: Sequence[Task], x: str) -> list[str]:
    """The same with a column for each target."""
    if data.target_normalizations:
        message = "a training script cannot normalise the values of several targets"
        raise config_fault(message, hint="leave out --training", path=("model", "heads"))
    classes = all(task.target.kind == "class" and not task.target.is_soft for task in tasks)
    joined = "torch.stack(y, dim=1)"
    if not classes:
        joined = "torch.cat([each.float().reshape(len(x), -1) for each in y], dim=1)"
    return [
        "return {",
        f"    name: ({x}.to(DEVICE), {joined}.to(DEVICE))",
        "    for name, (x, *y) in splits.items()",
        "}",
    ]
