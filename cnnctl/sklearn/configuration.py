"""A configuration and the arrays to fit -> a checked experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cnnctl.api.sources import Config, source_of
from cnnctl.config import overrides as command_line
from cnnctl.config.source import Node, Place, Text, entries, from_plain, parse_source, read_text
from cnnctl.data.dataset import RegressionSet
from cnnctl.data.samples import Samples
from cnnctl.data.sources.memory import Memory
from cnnctl.errors import config_fault
from cnnctl.experiment import Loaded, complete, require_weights
from cnnctl.experiment.loading import UNNAMED
from cnnctl.model import zoo
from cnnctl.shipped import experiments, is_shipped, text_of
from cnnctl.sources import find_network, is_checkpoint, is_published

LOSSES = {"classification": "cross_entropy", "multilabel": "bce_with_logits", "regression": "mse"}
"""The loss where a configuration names none."""
KEPT = frozenset(RegressionSet.model_fields) | {"size"}
"""Options of data that do not depend on where samples come from."""
DEFAULT = Text(
    """\
data: {batch_size: 64, validation: 0}
model:
  layers:
    - flatten
    - linear: 100
    - relu
    - linear: classes
optimizer: {name: adamw, lr: 0.01, weight_decay: 0.1}
scheduler: cosine
train: {epochs: 50}
""",
    origin="<default>",
)
"""A small MLP on standardised inputs."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that has been read."""

    root: Node
    name: str
    """Its name if it sets none."""

    @property
    def has_seed(self) -> bool:
        """Whether it names a seed."""
        return self.root.child("seed") is not None


def read(config: Config | None) -> Configuration:
    """Read a configuration; None is a small MLP.

    Raises:
        FaultError: it is not one, or does not exist.
    """
    source = DEFAULT if config is None else source_of(config)
    if isinstance(source, Text):
        return Configuration(source.parsed(), UNNAMED)
    if is_checkpoint(source):
        message = f"{source} is a run folder or a checkpoint"
        raise config_fault(message, hint="give the config.yaml of the run")
    if is_shipped(source):
        return Configuration(parse_source(text_of(str(source)), source), source.stem)
    if is_published(source):
        return Configuration(zoo.experiment_of(find_network(str(source)).kind), source.stem)
    return Configuration(parse_source(read_text(source, names=experiments()), source), source.stem)


def experiment_on(
    samples: Samples,
    data: Memory,
    *,
    configuration: Configuration,
    overrides: Sequence[str],
    seed: int | None,
) -> Loaded:
    """The experiment of a configuration, with its data replaced by these samples.

    data: the form of the samples.
    seed: replaces that of the configuration, unless None.

    Raises:
        FaultError: all faults of the configuration and the overrides, each with its place.
    """
    root = _with_loss(configuration.root, LOSSES[data.task])
    root = command_line.apply(root, overrides)
    loaded = complete(_on(root, data, seed), configuration.name)
    with loaded.places():
        require_weights(loaded.plan)
    described = loaded.experiment.data
    assert isinstance(described, Memory)
    held = loaded.experiment.model_copy(update={"data": described.holding(samples)})
    return replace(loaded, experiment=held)


def _with_loss(root: Node, loss: str) -> Node:
    """The same with this loss, unless it names one."""
    if root.child("loss") is not None or not isinstance(root.value, dict):
        return root
    place = Place("<arrays>")
    named = Node({"name": Node(loss, place)}, place, place)
    return replace(root, value={**root.value, "loss": named})


def _exceeds(options: Mapping[str, Node], samples: int) -> bool:
    """Whether a batch would have more samples than there are for training."""
    held_out = round(samples * _number(options, "validation"))
    return _number(options, "batch_size") > samples - held_out


def _number(options: Mapping[str, Node], name: str) -> float:
    """The number that an option of data is set to, or its default; 0 for anything else."""
    value = options[name].value if name in options else RegressionSet.model_fields[name].default
    return value if isinstance(value, int | float) else 0


def _on(root: Node, data: Memory, seed: int | None) -> Node:
    """The same on other data; options that do not depend on their source are kept."""
    if not isinstance(root.value, dict):
        return root
    section = root.child("data") or Node({}, Place("<arrays>"))
    kept = {
        key: node
        for key, node in entries(section).items()
        if key in KEPT or node.layer == command_line.COMMAND_LINE
    }
    facts = {name: getattr(data, name) for name in data.model_fields_set}
    if _exceeds(kept, data.samples):
        facts["batch_size"] = "all"
    described = from_plain({"name": Memory.kind, **facts}, section.place)
    replaced = replace(section, value={**kept, **entries(described)})
    sections = {**root.value, "data": replaced}
    if seed is not None:
        sections["seed"] = Node(seed, Place("random_state"))
    return replace(root, value=sections)
