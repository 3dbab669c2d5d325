"""The loop as code: an epoch of steps, and what is measured after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnnctl.errors import config_fault
from cnnctl.experiment import Task
from cnnctl.export.training_source.losses import answers_of
from cnnctl.export.training_source.recipe import Recipe
from cnnctl.export.training_source.tasks import accuracy_lines, auxiliary_terms, has_heads

IMPORTS = """\
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler


"""


def indented(lines: Iterable[str], depth: int = 1) -> str:
    """These lines, so many levels deeper."""
    return "\n".join(f"{'    ' * depth}{line}" if line else "" for line in lines)


def epoch_source(recipe: Recipe, evaluating: Sequence[str]) -> str:
    """`train_epoch(…)`, which takes a step for every batch.

    evaluating: lines that put frozen layers in evaluation mode.
    """
    parameters = ["network: nn.Module", "optimizer: torch.optim.Optimizer"]
    if recipe.schedule.warmup or recipe.schedule.interval == "step":
        parameters.append("scheduler: lr_scheduler.LRScheduler")
    if recipe.averages:
        parameters.append("average: Average")
    parameters += ["inputs: Tensor", "targets: Tensor"]
    signature = f"def train_epoch({', '.join(parameters)}) -> float:"
    accumulates = recipe.experiment.train.accumulate > 1
    loop = _accumulating(recipe) if accumulates else _stepping(recipe)
    lines = [
        '"""Take a step for every batch, in random order; returns the mean loss."""',
        "network.train()",
        *evaluating,
        "total = 0.0",
        *loop,
        "return total / len(inputs)",
    ]
    return f"{IMPORTS}{signature}\n{indented(lines)}\n"


def _batches(recipe: Recipe) -> str:
    order = "torch.randperm(len(inputs), device=DEVICE)"
    if recipe.experiment.data.sampler == "balanced":
        order = f"balanced_order({_classes(recipe)})"
    if recipe.experiment.data.drop_last:
        order += "[: len(inputs) // BATCH_SIZE * BATCH_SIZE]"
    return f"{order}.split({'len(inputs)' if recipe.is_full_batch else 'BATCH_SIZE'})"


def _classes(recipe: Recipe) -> str:
    """The class of each training sample, from `targets`, for the first target."""
    task = recipe.tasks[0]
    if task.targets is not None:
        return "targets[:, 0].long()"
    is_by_number = recipe.loss.targets == "{}" and not task.target.is_soft
    if is_by_number:
        return "targets"
    return "targets[:, 0].long()" if task.output[0] == 1 else "targets.argmax(dim=1)"


BALANCED = '''
import torch
from torch import Tensor


def balanced_order(classes: Tensor) -> Tensor:
    """As many positions as there are samples, each class equally often, shuffled.

    A class repeats all its samples before one of them comes again.
    """
    samples = len(classes)
    order = torch.randperm(samples, device=DEVICE)
    by_class = order[torch.argsort(classes[order], stable=True)]
    counts = torch.bincount(classes)
    starts, turn = counts.cumsum(0) - counts, torch.arange(samples, device=DEVICE)
    taken = torch.randperm(len(counts), device=DEVICE)[turn % len(counts)]
    drawn = by_class[starts[taken] + turn // len(counts) % counts[taken]]
    return drawn[torch.randperm(samples, device=DEVICE)]
'''


def order_source(recipe: Recipe) -> str:
    """`balanced_order(classes)`, if an epoch draws classes equally often."""
    return BALANCED if recipe.experiment.data.sampler == "balanced" else ""


def _forward(recipe: Recipe) -> Iterator[str]:
    """Lines that compute the `loss` of a batch."""
    given, targets = recipe.data.training.format("inputs[batch]"), "targets[batch]"
    functions, mixing = recipe.mixing
    if functions:
        yield f"x, y = {given}, {_soft(recipe)}"
        yield from mixing
        given, targets = "x", "y"
    outputs, more = auxiliary_terms(recipe.tasks)
    loss_of = "loss_of" if has_heads(recipe.tasks) else "criterion"
    if recipe.precision == "bf16":
        yield "with torch.autocast(DEVICE.type, dtype=torch.bfloat16):"
        yield f"    {outputs} = network({given})"
        yield f"{outputs} = {_in_float32(recipe.tasks, outputs)}"
    else:
        yield f"{outputs} = network({given})"
    yield f"loss = {loss_of}(outputs, {targets})"
    yield from (f"loss += {term.replace('targets', targets)}" for term in more)


def _in_float32(tasks: Sequence[Task], outputs: str) -> str:
    """The outputs of a forward pass in bf16, which would round small differences of the loss."""
    if has_heads(tasks):
        return "{name: each.float() for name, each in outputs.items()}"
    return ", ".join(f"{each}.float()" for each in outputs.split(", "))


def _soft(recipe: Recipe) -> str:
    """The targets of a batch as probabilities, which can be mixed."""
    task = recipe.tasks[0]
    is_number = recipe.loss.targets == "{}" and not task.target.is_soft
    if task.target.kind != "class" or not is_number:
        return "targets[batch]"
    return f"F.one_hot(targets[batch], {task.target.outputs}).float()"


def _clipping(recipe: Recipe) -> Iterator[str]:
    settings = recipe.experiment.regularization
    if settings.clip_value is not None:
        yield f"nn.utils.clip_grad_value_(network.parameters(), {settings.clip_value!r})"
    if settings.clip_norm is not None:
        yield f"nn.utils.clip_grad_norm_(network.parameters(), {settings.clip_norm!r})"


def _after_step(recipe: Recipe) -> Iterator[str]:
    if recipe.averages:
        yield "average.update(network)"
    if recipe.schedule.warmup or recipe.schedule.interval == "step":
        yield "scheduler.step()"


def _stepping(recipe: Recipe) -> Iterator[str]:
    """A step for each batch."""
    penalized = "(loss + penalty(network))" if recipe.has_penalty else "loss"
    counted = "loss.item()" if recipe.sums else "loss.item() * len(batch)"
    yield f"for batch in {_batches(recipe)}:"
    if recipe.needs_closure:
        yield from _closure(recipe)
        yield f"    total += {counted.replace('loss', 'optimizer.step(closure)')}"
    else:
        lines = [
            *_forward(recipe),
            "optimizer.zero_grad()",
            f"{penalized}.backward()",
            *_clipping(recipe),
            "optimizer.step()",
        ]
        yield from (f"    {line}" for line in lines)
    yield from (f"    {line}" for line in _after_step(recipe))
    if not recipe.needs_closure:
        yield f"    total += {counted}"


def _closure(recipe: Recipe) -> Iterator[str]:
    """The function that lbfgs evaluates several times."""
    yield ""
    yield "    def closure() -> Tensor:"
    lines = [
        *_forward(recipe),
        *(["loss = loss + penalty(network)"] if recipe.has_penalty else []),
        "optimizer.zero_grad()",
        "loss.backward()",
        *_clipping(recipe),
        "return loss",
    ]
    yield from (f"        {line}" for line in lines)
    yield ""


def _accumulating(recipe: Recipe) -> Iterator[str]:
    """A step for several batches, with the gradient of one large batch."""
    yield f"batches = {_batches(recipe)}"
    yield "for first in range(0, len(batches), ACCUMULATE):"
    share = "loss"
    lines = ["step = batches[first : first + ACCUMULATE]", "optimizer.zero_grad()"]
    if not recipe.sums:
        size = recipe.loss.size_of("targets[{}]")
        lines.insert(1, f"whole = sum({size.format('batch')} for batch in step)")
        share = f"(loss * {size.format('batch')} / whole)"
    counted = "loss.item()" if recipe.sums else "loss.item() * len(batch)"
    inner = [*_forward(recipe), f"{share}.backward()", f"total += {counted}"]
    lines += ["for batch in step:", *(f"    {line}" for line in inner)]
    if recipe.has_penalty:
        lines.append("penalty(network).backward()")
    lines += [*_clipping(recipe), "optimizer.step()", *_after_step(recipe)]
    yield from (f"    {line}" for line in lines)


SCORES = {
    "balanced_accuracy": "balanced_accuracy_score({actual}, {predicted})",
    "kappa": "cohen_kappa_score({actual}, {predicted})",
    "macro_f1": 'f1_score({actual}, {predicted}, average="macro", zero_division=0)',
    "micro_f1": 'f1_score({actual}, {predicted}, average="micro", zero_division=0)',
    "average_precision": "average_precision_score({actual}, {outputs})",
    "hamming_loss": "hamming_loss({actual}, {predicted})",
}
"""scikit-learn's functions for what can be monitored besides the loss and the accuracy."""


def scores_of(recipe: Recipe) -> tuple[str, list[str]]:
    """Imports, and the values of what else is monitored, as code.

    Raises:
        FaultError: one of them cannot be written.
    """
    imports, codes = list[str](), list[str]()
    for name in recipe.measured[2 if recipe.is_classifying else 1 :]:
        if name not in SCORES or has_heads(recipe.tasks):
            message = f"a training script cannot monitor {name}"
            raise config_fault(message, hint="use accuracy or loss", path=("train", "monitor"))
        predicted, actual = answers_of(recipe.tasks[0])
        code = SCORES[name].format(
            actual=f"{actual}.cpu()", predicted=f"({predicted}).cpu()", outputs="outputs.cpu()"
        )
        imports.append(f"from sklearn.metrics import {code.partition('(')[0]}\n")
        codes.append(code)
    return "".join(imports), codes


def evaluation_source(recipe: Recipe) -> str:
    """`evaluate(network, inputs, targets)`, which returns `recipe.measured`."""
    given = recipe.data.evaluation.format("x")
    outputs = f"[network({given}) for x in inputs.split(1000)]"
    loss = f"criterion(outputs, targets){' / ' + recipe.loss.size if recipe.sums else ''}"
    lines = ["network.eval()"]
    if has_heads(recipe.tasks):
        loss = "loss_of(outputs, targets)"
        if recipe.precision == "bf16":
            lines.append("with torch.autocast(DEVICE.type, dtype=torch.bfloat16):")
            lines.append(f"    parts = {outputs}")
        else:
            lines.append(f"parts = {outputs}")
        joined = "torch.cat([part[name] for part in parts]).float()"
        lines.append(f"outputs = {{name: {joined} for name in parts[0]}}")
    elif recipe.precision == "bf16":
        lines.append("with torch.autocast(DEVICE.type, dtype=torch.bfloat16):")
        lines.append(f"    outputs = torch.cat({outputs}).float()")
    else:
        lines.append(f"outputs = torch.cat({outputs})")
    lines.append(f"loss = {loss}")
    returned = ["loss.item()"]
    if recipe.is_classifying:
        lines += accuracy_lines(recipe.tasks)
        returned.append("right.float().mean().item()")
    imports, scores = scores_of(recipe)
    returned += scores
    lines.append(f"return {', '.join(returned)}")
    kinds = f"tuple[{', '.join(['float'] * len(returned))}]" if returned[1:] else "float"
    signature = f"def evaluate(network: nn.Module, inputs: Tensor, targets: Tensor) -> {kinds}:"
    names = [name.replace("_", " ") for name in recipe.measured]
    document = f'"""The {" and the ".join(names)} over all samples."""'
    return f"{imports}{IMPORTS}@torch.no_grad()\n{signature}\n{indented([document, *lines])}\n"
