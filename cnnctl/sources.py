"""Resolves the SOURCE of a command: a YAML file, a name, a run folder or a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cnnctl.checkpoint import Checkpoint, levels, load
from cnnctl.config.source import Node, Place, Text, from_plain
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
from cnnctl.experiment import Experiment, Loaded, check, complete, load_network
from cnnctl.model import zoo
from cnnctl.model.zoo import Network
from cnnctl.paths import is_folder
from cnnctl.plugins import load_plugins
from cnnctl.run_lookup import find_checkpoint
from cnnctl.shipped import experiments, is_name, is_shipped
from cnnctl.vocabulary import YAML

WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt")
"""Suffixes of weights files; only the first is read, the others have their own message."""


MAX_VALUES = 500_000
"""Limit for the experiment in a checkpoint; a configuration has 20,000 plus defaults."""


def is_checkpoint(source: Path) -> bool:
    """Whether a path refers to trained weights, not to a configuration."""
    return is_folder(source) or source.suffix in WEIGHTS


def is_published(source: Path) -> bool:
    """Whether a path is not a file, but the name of a zoo network or similar to one."""
    return is_name(source) and not is_shipped(source)


def find_network(name: str) -> type[Network]:
    """The zoo network of this name; the fault also suggests shipped experiments.

    Raises:
        FaultError: there is no such network.
    """
    if name not in Network.kinds:
        message = f"no zoo network or shipped experiment is named {show(name)}"
        close = did_you_mean(closest(name, sorted([*Network.kinds, *experiments()])))
        hint = close or "see `cnnctl list zoo` and `cnnctl list configs`"
        raise config_fault(message, hint=hint)
    return zoo.find(name)


def open_experiment(
    source: Path | Text,
    overrides: Sequence[str] = (),
    plugins: Sequence[Path] = (),
    *,
    data_root: Path | None = None,
) -> Loaded:
    """The checked experiment of a YAML file or text, a name, a run folder or a checkpoint.

    A name is that of a zoo network or a shipped experiment. Datasets that survey their files read
    `data_root`, by default the configured dataset directory.

    Raises:
        FaultError: the faults of the file or the checkpoint.
    """
    if isinstance(source, Text):
        return load_network(source, overrides, data_root=data_root)
    if is_checkpoint(source):
        refuse_overrides(overrides)
        return open_checkpoint(source, plugins)[0]
    if is_published(source):
        name = find_network(str(source)).kind
        return complete(zoo.experiment_of(name), name, overrides, data_root=data_root)
    return load_network(source, overrides, data_root=data_root)


def refuse_overrides(overrides: Sequence[str]) -> None:
    """Raise a FaultError if there are overrides; for a checkpoint, which has its experiment."""
    if overrides:
        message = "overrides do not apply to a checkpoint"
        raise config_fault(message, hint=f"leave out {' '.join(overrides)}")


def open_checkpoint(source: Path, plugins: Sequence[Path] = ()) -> tuple[Loaded, Checkpoint]:
    """A checkpoint, or the best one of a run folder, and its experiment.

    Raises:
        FaultError: it does not exist, is a YAML file, is damaged, or needs plugins that were not
            given (exit code 4).
    """
    if source.suffix in YAML and not is_folder(source):
        hint = f"run `cnnctl train {source}`, then give its run folder"
        raise checkpoint_fault("is a configuration without weights", hint=hint, place=str(source))
    path = find_checkpoint(source)
    checkpoint = load(path)
    load_plugins(plugins)
    return read_experiment(checkpoint, place=str(path)), checkpoint


def read_experiment(checkpoint: Checkpoint, *, place: str, known: Loaded | None = None) -> Loaded:
    """The experiment of a checkpoint; `known` may have the same network (see `check`).

    Raises:
        FaultError: this cnnctl does not know all of its kinds or options (exit code 4).
    """
    plain = checkpoint.document.get("experiment")
    if sum(map(len, levels(plain))) > MAX_VALUES:
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
