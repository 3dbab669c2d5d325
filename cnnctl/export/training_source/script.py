"""A training script: plain PyTorch that trains as an experiment does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap

from cnnctl.data.samples import Splits
from cnnctl.experiment import Experiment, Task
from cnnctl.export.training_source.averages import average_source
from cnnctl.export.training_source.freezing import evaluating_lines
from cnnctl.export.training_source.initializing import building_source
from cnnctl.export.training_source.layout import WIDTH, assembled, literal
from cnnctl.export.training_source.loop import (
    epoch_source,
    evaluation_source,
    indented,
    order_source,
)
from cnnctl.export.training_source.optimizers import optimizer_source, penalty_source
from cnnctl.export.training_source.recipe import Recipe
from cnnctl.export.training_source.support import check_support
from cnnctl.export.training_source.tasks import criteria_source, loss_of_heads_source
from cnnctl.metrics import watched
from cnnctl.model.freezing import freezing_of
from cnnctl.model.network import NetworkPlan, new_meta_network
from cnnctl.training.run import stopping_metric
from cnnctl.version import __version__

PACKAGES = {"sklearn": "scikit-learn"}
"""Packages that are not called as their modules are."""


def training_source(
    experiment: Experiment,
    plan: NetworkPlan,
    tasks: Sequence[Task],
    splits: Splits,
    *,
    network: str,
    name: str,
    data_root: str = "data",
) -> str:
    """A script that trains the network of an experiment.

    Args:
        experiment: with every automatic choice made and its statistics filled in.
        network: the source of the network, a module with its class.
        name: that class.
        data_root: where downloaded data is.

    Raises:
        FaultError: an option cannot be written; paths are those of the experiment.
    """
    check_support(experiment, plan)
    recipe = Recipe.of(experiment, tasks, splits)
    module = new_meta_network(plan)
    freezing = freezing_of(module, experiment.model.freeze, unfreeze_at=None)
    freezing.begin_epoch(1)
    parts = [
        _settings(recipe, data_root),
        network,
        building_source(plan, name, frozen=freezing.names),
        _constants(recipe),
        recipe.data.code,
        recipe.mixing[0],
        loss_of_heads_source(tasks),
        penalty_source(experiment, module),
        optimizer_source(experiment, module),
        recipe.schedule.code,
        average_source(experiment.regularization),
        order_source(recipe),
        epoch_source(recipe, evaluating_lines(module, freezing.names)),
        evaluation_source(recipe),
        _main(recipe),
    ]
    code = assembled(filter(None, parts))
    return f'"""{_about(recipe, code)}"""\n\n{code}'


def _about(recipe: Recipe, code: str) -> str:
    """The docstring of a script: what it does, and what it needs."""
    modules = re.findall(r"^(?:from|import) (\w+)", code, flags=re.MULTILINE)
    others = dict.fromkeys(PACKAGES.get(each, each) for each in modules)
    needed = [each for each in others if each not in sys.stdlib_module_names]
    experiment = recipe.experiment
    best = "the weights of the best epoch" if recipe.validates else "the last weights"
    what = f"{_plain(experiment.name)} on {experiment.data.kind}"
    about = f"Train {what} and write {best} to a .pth file."
    by = f"Written by cnnctl {__version__}; needs {', '.join(sorted(needed))}."
    return "\n".join([*wrap(about, WIDTH - 3), "", *wrap(by, WIDTH), ""])


def _plain(name: str) -> str:
    """A name that can stand in a docstring: whoever wrote it cannot end that."""
    return re.sub(r"[^\w .,+-]", "_", name)


def _settings(recipe: Recipe, data_root: str) -> str:
    experiment = recipe.experiment
    lines = [
        "from pathlib import Path",
        "import torch",
        f"SEED = {experiment.seed}",
        f"EPOCHS = {experiment.train.epochs}",
    ]
    if not recipe.is_full_batch:
        lines.append(f"BATCH_SIZE = {experiment.data.batch_size}")
    if experiment.train.accumulate > 1:
        lines.append(f"ACCUMULATE = {experiment.train.accumulate}")
    if recipe.schedule.warmup:
        lines.append(f"WARMUP = {recipe.schedule.warmup}")
    if experiment.data.has_files:
        where = getattr(experiment.data, "path", data_root)
        lines.append(f"DATA = Path({literal(str(where))})")
    lines.append('WEIGHTS = Path(__file__).with_suffix(".pth")')
    lines.append('DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")')
    return "\n".join(lines)


def _constants(recipe: Recipe) -> str:
    return f"{criteria_source(recipe.tasks)}\n{recipe.data.constants}"


def _main(recipe: Recipe) -> str:
    """`main()`."""
    lines = [*_beginning(recipe), *_epochs(recipe), *_ending(recipe)]
    return f"""\
import math

import torch


def main() -> None:
{indented(lines)}


if __name__ == "__main__":
    main()
"""


def _beginning(recipe: Recipe) -> Iterator[str]:
    yield "torch.manual_seed(SEED)"
    yield "data = build_data()"
    yield "network = build_network().to(DEVICE)"
    yield "optimizer = build_optimizer(network)"
    schedule = recipe.schedule
    if schedule.interval or schedule.warmup:
        yield f"steps = {_steps(recipe)}"
    if schedule.interval:
        yield "scheduler = build_scheduler(optimizer, steps)"
    if schedule.warmup:
        yield "warmup = build_warmup(optimizer, steps)"
    if recipe.averages:
        yield "average = Average(network)"
    if recipe.validates:
        is_loss = recipe.experiment.train.monitor == "loss"
        yield f"best = {'-math.inf' if is_loss else '(-math.inf, -math.inf)'}"
    if recipe.experiment.regularization.early_stopping:
        yield "record, stale = -math.inf, 0"


def _steps(recipe: Recipe) -> str:
    if recipe.is_full_batch:
        return "1"
    samples = 'len(data["train"][0])'
    if recipe.experiment.data.drop_last:
        batches = f"{samples} // BATCH_SIZE"
    else:
        batches = f"math.ceil({samples} / BATCH_SIZE)"
    return (
        f"math.ceil({batches} / ACCUMULATE)" if recipe.experiment.train.accumulate > 1 else batches
    )


def _kept(recipe: Recipe) -> str:
    return "average.network" if recipe.averages else "network"


def _epochs(recipe: Recipe) -> Iterator[str]:
    schedule = recipe.schedule
    arguments = ["network", "optimizer"]
    if schedule.interval == "step" and schedule.warmup:
        arguments.append("warmup if epoch <= WARMUP else scheduler")
    elif schedule.warmup:
        arguments.append("warmup")
    elif schedule.interval == "step":
        arguments.append("scheduler")
    arguments += ["average"] if recipe.averages else []
    lines = [f'train_loss = train_epoch({", ".join(arguments)}, *data["train"])']
    shown = "epoch {epoch}: loss {train_loss:.4f}"
    if recipe.validates:
        lines.append(_evaluated(recipe, "validation"))
        monitor = recipe.experiment.train.monitor
        if monitor == "loss":
            shown = shown.replace(" loss", " training loss") + ", validation"
        shown += f"{',' if monitor != 'loss' else ''} {_shown([monitor])}"
    lines.append(f'print(f"{shown}")')
    if schedule.interval == "epoch":
        lines += _adapted(recipe)
    if recipe.validates:
        lines += [
            f"if {_rank(recipe)} > best:",
            f"    best = {_rank(recipe)}",
            f"    torch.save({_kept(recipe)}.state_dict(), WEIGHTS)",
        ]
    stopping = recipe.experiment.regularization.early_stopping
    if stopping:
        lines += _stopping(recipe, patience=stopping.patience, min_delta=stopping.min_delta)
    yield "for epoch in range(1, EPOCHS + 1):"
    yield from (f"    {line}" for line in lines)


def _evaluated(recipe: Recipe, split: str) -> str:
    """The line that measures a split."""
    names = ", ".join(recipe.measured)
    return f'{names} = evaluate({_kept(recipe)}, *data["{split}"])'


def _shown(metrics: Sequence[str]) -> str:
    """Metrics in a text."""
    return ", ".join(f"{name.replace('_', ' ')} {{{name}:.4f}}" for name in metrics)


def _adapted(recipe: Recipe) -> list[str]:
    """Lines that move on a schedule of epochs."""
    watches = recipe.schedule.watches
    metric = watches if recipe.validates or not watches else "train_loss"
    step = f"scheduler.step({metric})"
    return ["if epoch > WARMUP:", f"    {step}"] if recipe.schedule.warmup else [step]


def _rank(recipe: Recipe) -> str:
    """What the best epoch has most of."""
    monitor = recipe.experiment.train.monitor
    if monitor == "loss":
        return "-loss"
    sign = "" if watched(monitor).more_is_better else "-"
    return f"({sign}{monitor}, -loss)"


def _stopping(recipe: Recipe, *, patience: int, min_delta: float) -> list[str]:
    metric = stopping_metric(recipe.experiment)
    score = metric if watched(metric).more_is_better else f"-{metric}"
    less = f" + {min_delta!r}" if min_delta else ""
    return [
        f"if {score} > record{less}:",
        f"    record, stale = {score}, 0",
        "else:",
        "    stale += 1",
        f"if stale == {patience}:",
        "    break",
    ]


def _ending(recipe: Recipe) -> Iterator[str]:
    if not recipe.validates:
        yield f"torch.save({_kept(recipe)}.state_dict(), WEIGHTS)"
    if not len(recipe.splits.test):
        return
    if recipe.validates:
        yield f"{_kept(recipe)}.load_state_dict(torch.load(WEIGHTS, weights_only=True))"
    yield _evaluated(recipe, "test")
    yield f'print(f"test: {_shown(recipe.measured)}")'
