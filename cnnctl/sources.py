"""Resolves the SOURCE of a command: a YAML file, a name, a run folder or a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnnctl import checkpoint as checkpoints
from cnnctl.checkpoint import Checkpoint
from cnnctl.config.source import Node, Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.config.wording import show
from cnnctl.errors import (
    ExitCode,
    FaultError,
    checkpoint_fault,
    closest,
    config_fault,
    did_you_mean,
)
from cnnctl.experiment import Experiment, Loaded, check, complete, load
from cnnctl.model import zoo
from cnnctl.model.zoo import Network
from cnnctl.plugins import load_plugins
from cnnctl.run_folder import find_checkpoint
from cnnctl.shipped import experiments, is_name, is_shipped
from cnnctl.storage import is_folder
from cnnctl.vocabulary import YAML

WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt")
"""Suffixes of files with weights; only the first is read, the others get their own words."""


MAX_VALUES = 500_000
"""Of a checkpoint's experiment; a configuration has at most 20,000, and each brings defaults."""


def is_checkpoint(source: Path) -> bool:
    """Whether a path means trained weights rather than a configuration."""
    return is_folder(source) or source.suffix in WEIGHTS


def is_published(source: Path) -> bool:
    """Whether a path is no file, but the name of a network of the zoo, or nearly one."""
    return is_name(source) and not is_shipped(source)


def find_network(name: str) -> type[Network]:
    """The network of this name, where a shipped experiment could be named as well.

    Raises:
        FaultError: there is none, and no such experiment.
    """
    if name not in Network.kinds:
        message = f"no zoo network or shipped experiment is named {show(name)}"
        close = did_you_mean(closest(name, sorted([*Network.kinds, *experiments()])))
        hint = close or "see `cnnctl list zoo` and `cnnctl list configs`"
        raise config_fault(message, hint=hint)
    return zoo.find(name)


def open_experiment(
    source: Path,
    overrides: Sequence[str] = (),
    plugins: Sequence[Path] = (),
    *,
    data_root: Path | None = None,
) -> Loaded:
    """The experiment of a YAML file, a name, a run folder or a checkpoint, checked whole.

    A name is that of a network of the zoo or of a shipped experiment. Data sets that survey their
    files look into `data_root`, or the dataset directory that is set.

    Raises:
        FaultError: what is wrong with the file, or with the checkpoint.
    """
    if is_checkpoint(source):
        if overrides:
            message = "overrides do not apply to a checkpoint"
            raise config_fault(message, hint=f"leave out {' '.join(overrides)}")
        return open_checkpoint(source, plugins)[0]
    if is_published(source):
        name = find_network(str(source)).kind
        return complete(zoo.experiment_of(name), name, overrides, data_root=data_root)
    return load(source, overrides, data_root=data_root)


def open_checkpoint(source: Path, plugins: Sequence[Path] = ()) -> tuple[Loaded, Checkpoint]:
    """A checkpoint, or the best one of a run folder, and its experiment.

    Raises:
        FaultError: it is not there, a YAML file, damaged, or needs plugins that were not named
            (exit code 4).
    """
    if source.suffix in YAML and not is_folder(source):
        hint = f"run `cnnctl train {source}`, then give its run folder"
        raise checkpoint_fault("is a configuration, without weights", hint=hint, place=str(source))
    path = find_checkpoint(source)
    checkpoint = checkpoints.load(path)
    load_plugins(plugins)
    return read_experiment(checkpoint, place=str(path)), checkpoint


def read_experiment(checkpoint: Checkpoint, *, place: str, known: Loaded | None = None) -> Loaded:
    """The experiment that a checkpoint is from; `known` may have the same network (see `check`).

    Raises:
        FaultError: this cnnctl does not know all of its kinds or options (exit code 4).
    """
    plain = checkpoint.document.get("experiment")
    if sum(map(len, checkpoints.levels(plain))) > MAX_VALUES:
        message = f"its experiment has more than {MAX_VALUES} values"
        raise checkpoint_fault(message, hint="use a checkpoint that cnnctl wrote", place=place)
    node = from_plain(plain, Place(place))
    try:
        experiment = validate(Experiment, node)
        plan, description = check(experiment, known=known)
    except FaultError as error:
        hint = _cure(node.child("plugins"))
        faults = (replace(fault, place=place, hint=hint) for fault in error.faults)
        raise FaultError(*faults, exit_code=ExitCode.CHECKPOINT) from None
    return Loaded(experiment, node, plan, description)


def _cure(plugins: Node | None) -> str:
    """The hint for a checkpoint that cannot be read."""
    names = [str(item.value) for item in plugins.children()] if plugins else []
    if names:
        return f"it was trained with {', '.join(names)}; add --plugin FILE for each"
    return "update cnnctl"
