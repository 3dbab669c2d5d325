"""Networks from their sources: trained ones, and untrained ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from cnnctl.api.network import Facts, Network, Prediction
from cnnctl.api.sources import Config, Options, Trained, checkpoint_of, config_of, words_of
from cnnctl.device import memory_faults, pick_device, settings_restored
from cnnctl.errors import config_fault
from cnnctl.experiment import starting_weights
from cnnctl.model import network as networks
from cnnctl.model.matching import fit_weights
from cnnctl.sources import is_checkpoint, open_experiment
from cnnctl.trained import open_trained


def load(
    source: Trained, *, device: str = "auto", plugins: Sequence[str | os.PathLike[str]] = ()
) -> Network:
    """Load a trained network, in evaluation mode.

    source: a run folder, of which the best checkpoint is taken, a checkpoint, or a `Run`.
    device: `cpu`, `cuda`, `cuda:1`, or `auto`: the first GPU, or else the CPU.
    plugins: Python files that the network needs; their code is run.

    Raises:
        FaultError: it does not exist, is damaged, or has no weights; or the device is unavailable.

    Example:
        >>> network = cnnctl.load("runs/lenet")
        >>> network.predict("seven.png", top_k=3)
    """
    with settings_restored():
        trained = open_trained(
            checkpoint_of(source), device=device, plugins=[Path(each) for each in plugins]
        )
    facts = Facts(trained.experiment, trained.plan, trained.tasks, trained.epoch)
    return _of(trained.network, facts)


def build(
    source: Config,
    *,
    overrides: Options | None = None,
    device: str = "cpu",
    data_root: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Network:
    """Build an untrained network, in training mode.

    source: YAML text, the path of a YAML file, the name of an experiment or a zoo network, or a
        mapping.
    overrides: options by their dotted paths: `{"model.layers.0.conv.out_channels": 8}`.
    device: `cpu`, `cuda`, `cuda:1` or `auto`.
    data_root: the dataset directory, where data has to be looked at for its shapes and classes.
    options: options of the experiment by their sections: `seed=1, data={"size": [32, 32]}`.
        A mapping is merged into what is there, unless it has a `name`: then it replaces it.

    Its `seed` decides the weights, unless `model.weights` names some. The global random state stays
    as it is.

    Raises:
        FaultError: the faults of the source, each with its place.

    Example:
        >>> network = cnnctl.build("resnet18", seed=1)
        >>> network.input_shape
        (3, 224, 224)
    """
    config = config_of(source)
    if isinstance(config, Path) and is_checkpoint(config):
        message = f"{config} is a run folder or a checkpoint"
        raise config_fault(message, hint="use cnnctl.load")
    root = None if data_root is None else Path(data_root)
    loaded = open_experiment(config, words_of(options, overrides), data_root=root)
    weights, where = starting_weights(loaded), pick_device(device)
    with memory_faults(where):
        network = networks.build(loaded.plan, seed=loaded.experiment.seed)
        if weights is not None:
            fit_weights(network, weights)
        tasks = tuple(task for task in loaded.tasks if not task.is_auxiliary)
        return _of(network, Facts(loaded.experiment, loaded.plan, tasks, 0)).to(where)


def _of(modules: nn.Module, facts: Facts) -> Network:
    assert isinstance(modules, nn.Sequential)  # as all networks of experiments are
    return Network(modules, facts)


def predict(
    source: Trained | Network,
    inputs: object,
    *,
    top_k: int | None = None,
    views: int = 1,
    device: str = "auto",
    plugins: Sequence[str | os.PathLike[str]] = (),
) -> list[Prediction]:
    """Answer for samples with a trained network; see `load` and `Network.predict`.

    To answer more than once, `load` the network and keep it.

    Raises:
        FaultError: the network cannot be loaded, an input cannot be read or does not fit, or has no
            such views.
    """
    if not isinstance(source, Network):
        source = load(source, device=device, plugins=plugins)
    return source.predict(inputs, top_k=top_k, views=views)
