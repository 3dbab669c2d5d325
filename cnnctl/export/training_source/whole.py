"""The training script of a network to export, and its check: a step in a fresh process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cnnctl.data.dataset import data_root
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Split, Splits
from cnnctl.errors import config_fault
from cnnctl.evaluation.scores import score
from cnnctl.experiment import Experiment, Task, tasks_of
from cnnctl.export.checking import TOLERANCE, largest_difference
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.original import CPU, Original
from cnnctl.export.source import network_source
from cnnctl.export.source.naming import network_class_name
from cnnctl.export.training_source.script import training_source
from cnnctl.training.assembly import assemble
from cnnctl.training.run import Run as Assembled
from cnnctl.training.settings import resolve_auto
from cnnctl.training.step import make_step

SAMPLES = 64
"""Training samples of the step that is compared, at most."""
COUNT = "count"


@dataclass(frozen=True, slots=True)
class Trainable:
    """An experiment with every automatic choice made, and its data."""

    experiment: Experiment
    tasks: tuple[Task, ...]
    splits: Splits

    @classmethod
    def of(cls, original: Original) -> Trainable:
        """The experiment of a network.

        Raises:
            FaultError: its data cannot be read.
        """
        if original.samples is None:
            message = f"a training script needs the data, to cut it alike: {original.unread}"
            raise config_fault(message, hint="give its folder with --data", path=("data",))
        experiment, plan = original.experiment, original.trained.plan
        train = experiment.train.model_copy(update={"device": "cpu"})
        experiment = experiment.model_copy(update={"train": train})
        description = experiment.data.describe()
        experiment = resolve_auto(experiment, plan, description)
        tasks = tasks_of(experiment, plan, description)
        seed, root = experiment.seed, original.data_root
        splits = prepare(experiment.data, seed=seed, root=root, download=False).splits
        return cls(experiment, tasks, splits)


def training_script(original: Original) -> str:
    """The script that trains a network from its start.

    Raises:
        FaultError: the data cannot be read, or an option cannot be written.
    """
    trainable, plan = Trainable.of(original), original.trained.plan
    name = network_class_name(original.experiment.name)
    with original.places():
        return training_source(
            trainable.experiment,
            plan,
            trainable.tasks,
            trainable.splits,
            network=network_source(plan, name=name),
            name=name,
            data_root=str(original.data_root or data_root()),
        )


class TrainingScript(Format):
    """How a training script runs for its check; the format that writes it is `Source`."""

    name = "training script"
    suffix = ".py"
    about = "A script that trains a network."

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        """None: `Source` writes the script."""
        return {}

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        """Compare a step of a script with one of ours, on the first training samples.

        Raises:
            FaultError: the script does not run.
        """
        trainable = Trainable.of(original)
        expected = first_step(trainable, original)
        count = int(expected[COUNT]["samples"])
        given = {**original.network.state_dict(), COUNT: torch.tensor(count)}
        found = run(self, file, given)
        apart = largest_difference(expected, {**found, COUNT: expected[COUNT]})
        limit = TOLERANCE if wishes.tolerance is None else wishes.tolerance
        return Checked(apart, limit, f"a step on {count} training samples")

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        """Take a step from the given weights, without augmentation and dropout."""
        import os
        from contextlib import nullcontext
        from importlib.util import module_from_spec, spec_from_file_location
        from inspect import signature

        import torch

        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        spec = spec_from_file_location("script", file)
        assert spec is not None and spec.loader is not None
        script = module_from_spec(spec)
        spec.loader.exec_module(script)
        script.torch.autocast = lambda *arguments, **options: nullcontext()
        for name in ("augment", "mixup", "cutmix"):
            setattr(script, name, lambda *given, **options: given if given[1:] else given[0])
        network = script.build_network()
        state = network.state_dict()
        network.load_state_dict({name: batches[name] for name in state})
        for module in network.modules():
            if isinstance(getattr(module, "p", None), float):
                module.p = 0.0
        splits = script.build_data()
        inputs, targets = (part[: int(batches["count"])] for part in splits["train"])
        optimizer = script.build_optimizer(network)
        given = {"network": network, "optimizer": optimizer, "inputs": inputs, "targets": targets}
        for build in ("build_scheduler", "build_warmup"):
            if hasattr(script, build):
                given["scheduler"] = getattr(script, build)(optimizer, 1000)
        if hasattr(script, "Average"):
            given["average"] = script.Average(network)
        rates = {id(p): each["lr"] for each in optimizer.param_groups for p in each["params"]}
        named = [(name, p) for name, p in network.named_parameters() if id(p) in rates]
        rates = {name: torch.tensor(float(rates[id(parameter)])) for name, parameter in named}
        losses = {}
        for name, parts in splits.items():
            found = script.evaluate(network, *(part[-64:] for part in parts))
            losses[name] = torch.tensor(found[0] if isinstance(found, tuple) else found)
        known = signature(script.train_epoch).parameters
        loss = script.train_epoch(**{name: each for name, each in given.items() if name in known})
        gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
        return {
            "splits": {name: torch.tensor(len(part[0])) for name, part in splits.items()},
            "gradients": gradients,
            "losses": losses,
            "step": {"loss": torch.tensor(loss)},
            "rates": rates,
        }


def first_step(trainable: Trainable, original: Original) -> dict[str, dict[str, Tensor]]:
    """What `TrainingScript.run` returns, computed by our own training."""
    experiment, splits = trainable.experiment, trainable.splits
    train = experiment.train.model_copy(update={"precision": "fp32", "compile": False})
    experiment = experiment.model_copy(update={"train": train})
    plan, tasks = original.trained.plan, trainable.tasks
    run = assemble(experiment, plan=plan, tasks=tasks, device=CPU, steps_per_epoch=1000)
    run.network.load_state_dict(original.network.state_dict())
    for module in run.network.modules():
        if isinstance(getattr(module, "p", None), float):
            vars(module)["p"] = 0.0  # of dropout
    heads = tuple(task.name for task in tasks if task.name and not task.is_auxiliary)
    store = DeviceStore.of(experiment.data, splits.train.samples, device=CPU, targets=heads)
    size = experiment.data.batch_size
    count = min(SAMPLES, len(splits.train), SAMPLES if size == "all" else size)
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    there = {name: part for name, part in parts.items() if len(part)}
    losses = {name: _loss_of_last(run, part, heads) for name, part in there.items()}
    run.begin_epoch()
    make_step(run)([store.take(splits.train.positions[:count])])
    return {
        COUNT: {"samples": torch.tensor(count)},
        "splits": {name: torch.tensor(len(part)) for name, part in there.items()},
        "losses": losses,
        "gradients": {
            name: parameter.grad
            for name, parameter in run.network.named_parameters()
            if parameter.grad is not None
        },
        "step": {"loss": torch.tensor(run.tally.read()[0])},
        "rates": _rates(run),
    }


def _rates(run: Assembled) -> dict[str, Tensor]:
    """The learning rate of each weight that is trained, by its name."""
    groups = run.optimizer.param_groups
    rates = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    named = run.network.named_parameters()
    return {name: torch.tensor(float(rates[id(p)])) for name, p in named if id(p) in rates}


def _loss_of_last(run: Assembled, part: Split, heads: tuple[str, ...]) -> Tensor:
    """The loss of the last samples of a split, before the step."""
    store = DeviceStore.of(run.experiment.data, part.samples, device=CPU, targets=heads)
    inputs, targets = store.take(part.positions[-SAMPLES:])
    with torch.no_grad():
        outputs = run.network.eval()(inputs)
    return torch.tensor(score(run.answers, outputs, targets)["loss"])
