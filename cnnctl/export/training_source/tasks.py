"""What is learned as code: the loss of one task, or of several heads together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnctl.experiment import Task
from cnnctl.export.training_source.layout import literal, variable
from cnnctl.export.training_source.losses import loss_source, right_source


def own_tasks(tasks: Sequence[Task]) -> list[Task]:
    """The tasks of the trained network, without auxiliary classifiers."""
    return [task for task in tasks if not task.is_auxiliary]


def has_heads(tasks: Sequence[Task]) -> bool:
    """Whether the network returns its outputs by name."""
    return bool(tasks[0].name)


def criteria_source(tasks: Sequence[Task]) -> str:
    """The constants `criterion`, and for heads `loss_of(outputs, targets)`."""
    first = loss_source(tasks[0])
    code = f"{first.code}\n\ncriterion = {first.criterion}\n"
    if not has_heads(tasks):
        return code
    own = own_tasks(tasks)
    others = {
        name: loss_source(task)
        for task, name in zip(own, criteria(own), strict=True)
        if name != "criterion"
    }
    for name, loss in others.items():
        code += f"{loss.code}\n{name} = {loss.criterion}\n"
    return code


def criteria(tasks: Sequence[Task]) -> list[str]:
    """The name of the criterion of each task; tasks that share one have the same."""
    first = loss_source(tasks[0])
    return [
        "criterion"
        if loss_source(task).criterion == first.criterion
        else variable(f"{task.name}_criterion")
        for task in tasks
    ]


def loss_of_heads_source(tasks: Sequence[Task]) -> str:
    """`loss_of(outputs, targets)`, the weighted sum of the losses of all heads."""
    if not has_heads(tasks):
        return ""
    own = own_tasks(tasks)
    lines = list[str]()
    for task, criterion in zip(own, criteria(own), strict=True):
        term = f"{criterion}(outputs[{literal(task.name)}], {targets_of(task)})"
        factor = "" if task.weight == 1 else f"{task.weight!r} * "
        lines.append(f"    loss {'+=' if lines else '='} {factor}{term}")
    body = "\n".join(lines)
    return f'''
from torch import Tensor


def loss_of(outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
    """The weighted sum of the losses of the heads, each with its own targets."""
{body}
    return loss
'''


def targets_of(task: Task) -> str:
    """The targets of a task, from all `targets` of a batch, in the form that its loss takes."""
    if task.targets is None:
        return "targets"
    columns = task.targets
    is_number = task.target.kind == "class" and not task.target.is_soft
    chosen = (
        f"targets[:, {columns.start}]"
        if is_number
        else f"targets[:, {columns.start}:{columns.stop}]"
    )
    return loss_source(task).targets.format(chosen)


def auxiliary_terms(tasks: Sequence[Task]) -> tuple[str, list[str]]:
    """What a network in training returns, as names, and what its auxiliary classifiers add."""
    aside = [task for task in tasks if task.is_auxiliary]
    names = [variable(task.name) for task in aside]
    if has_heads(tasks):
        terms = [
            f"{t.weight!r} * criterion(outputs[{literal(t.name)}], {targets_of(t)})" for t in aside
        ]
        return "outputs", terms
    terms = [f"{task.weight!r} * criterion({variable(task.name)}, targets)" for task in aside]
    return ", ".join(["outputs", *names]), terms


def accuracy_lines(tasks: Sequence[Task]) -> Iterator[str]:
    """Lines that compute the accuracy, that of all heads together."""
    classifying = [task for task in own_tasks(tasks) if task.target.kind != "values"]
    if not has_heads(tasks):
        yield f"right = {right_source(classifying[0])}"
        return
    rights = ", ".join(
        right_source(task, f"outputs[{literal(task.name)}]", targets_of(task))
        for task in classifying
    )
    yield f"right = torch.stack([{rights}])"


def _outputs(task: Task) -> str:
    """The outputs of a head."""
    return f"outputs[{literal(task.name)}]"
