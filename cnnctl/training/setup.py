"""From a checked experiment to everything that training needs: choices, machine, data, network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnctl.data.device_store import DeviceStore, keeps_normalized
from cnnctl.data.loader import Batches, evaluation_batches, training_batches
from cnnctl.data.preparation import Prepared, prepare
from cnnctl.data.progressive_resizing import SizeOf
from cnnctl.data.samples import Splits
from cnnctl.device import (
    check_precision,
    keep_freed_memory,
    memory_faults,
    own_device,
    use_precision,
    use_threads,
)
from cnnctl.distillation.plan import plan_distillation
from cnnctl.distillation.teaching import Teaching
from cnnctl.experiment import Experiment, Loaded, fitted
from cnnctl.training.assembly import assemble
from cnnctl.training.compilation import use_cache_folder
from cnnctl.training.memory import free_memory, largest_batch
from cnnctl.training.parts import check_parts
from cnnctl.training.run import Run
from cnnctl.training.settings import resolve_auto, with_compile
from cnnctl.world import ALONE, World


@dataclass(frozen=True, slots=True)
class SplitBatches:
    """The batches of each split, on the device."""

    train: Batches
    validation: Batches | None
    test: Batches | None


@dataclass(frozen=True, slots=True)
class Setup:
    """An experiment with every automatic choice made, and its data on the device.

    Any number of new runs can be assembled from it.
    """

    loaded: Loaded
    experiment: Experiment
    device: torch.device
    splits: Splits
    batches: SplitBatches
    teaching: Teaching | None = None
    """The teachers, on the device, if there are any."""
    world: World = ALONE
    """The ranks that train together."""
    compile_trial: Mapping[str, Any] | None = None
    """What `compile: measure` found, as plain data."""

    def assemble(self) -> Run:
        """A new run, with its network initialised from the experiment's seed."""
        return assemble(
            self.experiment,
            plan=self.loaded.plan,
            tasks=self.loaded.tasks,
            device=self.device,
            steps_per_epoch=ceil(len(self.batches.train) / self.experiment.train.accumulate),
            samples=self.samples,
            teaching=self.teaching,
            world=self.world,
        )

    def samples(self, count: int) -> Iterator[Tensor]:
        """The inputs of so many training samples, evenly spread, in parts (N, …) on the CPU."""
        for inputs, _ in self.batches.train.spread(count):
            yield inputs.cpu()

    @property
    def typical_epoch(self) -> int:
        """An epoch to try steps of, whose images have their full size."""
        growing, epochs = self.experiment.train.progressive_resizing, self.experiment.train.epochs
        return 0 if growing is None else epochs - 1

    def with_compile(self, compile: bool, *, trial: Mapping[str, Any] | None = None) -> Setup:
        """The same setup with `train.compile` decided, by a trial if there was one."""
        experiment = with_compile(self.experiment, compile)
        return replace(self, experiment=experiment, compile_trial=trial)

    def memory_faults(self) -> AbstractContextManager[None]:
        """A context that turns out-of-memory errors into faults; see `device.memory_faults`."""

        def largest() -> int | None:
            room = free_memory(self.device)
            return None if room is None else largest_batch(self.loaded, room=room)

        return _memory_faults(self.experiment, self.device, largest=largest)


def set_up(loaded: Loaded, *, data_root: Path | None = None, world: World = ALONE) -> Setup:
    """Make the automatic choices, set up the process, and prepare the data and the teachers.

    Raises:
        FaultError: the device is unavailable, bad data, a teacher that does not fit, out of memory.
    """
    with loaded.places("train", "device"):
        experiment = resolve_auto(
            loaded.experiment, loaded.plan, loaded.description, local_ranks=world.local_size
        )
    with loaded.places():
        device = use_machine(experiment, rank=world.local_rank if world.size > 1 else None)
    with _memory_faults(experiment, device):
        with loaded.places("data"), world.one_first():
            data = prepare(experiment.data, seed=experiment.seed, root=data_root)
        experiment = experiment.model_copy(update={"data": data.data})
        with loaded.places():
            check_parts(loaded.plan, experiment, len(data.splits.train), world)
            experiment = fitted(experiment, loaded.tasks, data.splits.train)
        loaded = replace(loaded, experiment=experiment)
        heads = tuple(task.name for task in loaded.tasks if task.name and not task.is_auxiliary)
        batches = split_batches(experiment, data, device, targets=heads, world=world)
        with loaded.places():
            teachers = plan_distillation(loaded)
        if teachers is None:
            return Setup(loaded, experiment, device, data.splits, batches, world=world)
        experiment = experiment.model_copy(update={"distill": teachers.settings})
        loaded = replace(loaded, experiment=experiment)
        teaching = Teaching.of(teachers, experiment, device)
    return Setup(loaded, experiment, device, data.splits, batches, teaching, world)


def _memory_faults(
    experiment: Experiment, device: torch.device, *, largest: Callable[[], int | None] | None = None
) -> AbstractContextManager[None]:
    batch_size, size = (
        f"data.batch_size={experiment.data.batch_size}",
        experiment.train.micro_batch_size,
    )
    if isinstance(size, int):  # of which each has the memory for itself
        batch_size = f"train.micro_batch_size={size}"
    return memory_faults(device, batch_size=batch_size, largest=largest)


def use_machine(experiment: Experiment, *, rank: int | None = None) -> torch.device:
    """Set up threads, precision and determinism for the whole process.

    rank: the number of this rank on its machine, which has the GPU of that number.
    """
    settings = experiment.train
    device = torch.device(settings.device) if rank is None else own_device(settings.device, rank)
    if isinstance(settings.threads, int):
        use_threads(settings.threads)
    keep_freed_memory()
    check_precision(settings.precision, device)
    use_precision(settings.precision, device)
    use_cache_folder()
    torch.backends.cudnn.deterministic = settings.deterministic
    torch.backends.cudnn.benchmark = not settings.deterministic
    if device.type == "cuda" and settings.deterministic:
        # cuBLAS sums in a fixed order only with this workspace; read when it starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device


def _size_of(experiment: Experiment) -> SizeOf | None:
    """The size of the images of each epoch; None if it is always the same."""
    growing = experiment.train.progressive_resizing
    if growing is None:
        return None
    full = experiment.data.whole().shape[1:]
    return partial(growing.size, epochs=experiment.train.epochs, full=full)


def split_batches(
    experiment: Experiment,
    data: Prepared,
    device: torch.device,
    *,
    targets: tuple[str, ...] = (),
    world: World = ALONE,
) -> SplitBatches:
    """Put the three splits on the device, with these targets concatenated."""
    known, splits = data.data, data.splits
    channels_last = experiment.train.memory_format == "channels_last"
    put = partial(
        DeviceStore.of, known, device=device, channels_last=channels_last, targets=targets
    )
    samples = splits.train.samples  # which include validation
    store = put(samples, normalized=keeps_normalized(samples.rows.shape, device))
    test = splits.test
    return SplitBatches(
        train=training_batches(
            known,
            store,
            splits.train,
            seed=experiment.seed,
            rank=world.rank,
            ranks=world.size,
            size_of=_size_of(experiment),
        ),
        validation=evaluation_batches(known, store, splits.validation)
        if len(splits.validation)
        else None,
        test=evaluation_batches(known, put(test.samples), test) if len(test) else None,
    )
