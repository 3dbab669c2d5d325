"""The performance of a trained network on a split of its dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult

from cnnctl.api.network import Network, trained_network
from cnnctl.api.showing import Shown
from cnnctl.api.sources import Trained, check_positive, checkpoint_of
from cnnctl.data.download import used_folder
from cnnctl.data.preparation import SplitName
from cnnctl.device import settings_restored, use_precision
from cnnctl.evaluation import evaluate as evaluation
from cnnctl.evaluation.evaluate import Measurable, Result
from cnnctl.evaluation.report import render


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """The facts of `cnnctl eval --json`; `print` and notebooks show a table."""

    checkpoint: str | None
    """The path of the checkpoint; None for a network in memory."""
    epoch: int | None
    """Number of epochs that the network was trained for; None if unknown."""
    split: str
    views: int
    """Views of each image, over which outputs were averaged."""
    samples: int
    loss: float
    """The mean loss; of several heads, its weighted sum."""
    metrics: Mapping[str, Any]
    """Each metric by name: a number, a table, or None if it is undefined; none with heads."""
    heads: Mapping[str, Mapping[str, Any]]
    """The metrics of each head by its name, loss included; none without heads."""
    _result: Result = field(compare=False)

    def __getitem__(self, metric: str) -> Any:
        """A metric of a network without heads: `found["accuracy"]`."""
        return self.metrics[metric]

    def to_json(self) -> dict[str, Any]:
        """The same as plain data, as `cnnctl eval --json` prints it."""
        facts = {"checkpoint": self.checkpoint, "epoch": self.epoch}
        facts |= {"split": self.split, "views": self.views}
        return facts | self._result.to_json()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield f"{self.split} split, epoch {self.epoch}"
        yield render(self._result)


def evaluate(
    source: Trained | Network,
    *,
    split: SplitName | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    data_root: str | os.PathLike[str] | None = None,
    plugins: Sequence[str | os.PathLike[str]] = (),
    views: int = 1,
) -> Evaluation:
    """Measure a trained network on a split of its dataset.

    source: a run folder, a checkpoint, a `Run`, or a `Network`, which stays on its device.
    split: `test`, `validation` or `train`; by default, the first of these that the dataset has.
    batch_size: by default, 8 to 256, smaller for larger networks.
    device: `cpu`, `cuda`, `cuda:1`, or `auto`: the first GPU, or else the CPU.
    data_root: the dataset directory; by default, $CNNCTL_DATA or `data`.
    plugins: Python files that the network needs; their code is run.
    views: average the outputs over so many views of each image; 2 is the image and its mirror
        image, 3 the image and two shifts by a pixel, 6 all of these.

    Raises:
        FaultError: the network cannot be loaded; its samples have no such views; the data is
            missing or damaged, or the split empty; memory runs out.

    Example:
        >>> cnnctl.evaluate("runs/lenet")["accuracy"]
        0.9861111111111112
    """
    check_positive("batch_size", batch_size)
    root = None if data_root is None else Path(data_root)
    with settings_restored():
        if isinstance(source, Network):
            measurable = _of_network(source, split, batch_size, root, views)
            return _facts(measurable, None)
        path, measurable = evaluation.open_checkpoint(
            checkpoint_of(source),
            split=split,
            batch_size=batch_size,
            device=device,
            data_root=root,
            plugins=[Path(each) for each in plugins],
            views=views,
        )
        return _facts(measurable, path)


def _of_network(
    network: Network,
    split: SplitName | None,
    batch_size: int | None,
    root: Path | None,
    views: int,
) -> Measurable:
    trained = trained_network(network)
    use_precision(trained.experiment.train.precision, trained.device)
    root = used_folder(trained.experiment.data, root)
    return evaluation.open_split(
        trained, split=split, batch_size=batch_size, data_root=root, views=views
    )


def _facts(measurable: Measurable, path: Path | None) -> Evaluation:
    found = measurable.measure()
    plain = found.result.to_json()
    heads = plain.pop("heads", {})
    return Evaluation(
        checkpoint=None if path is None else str(path),
        epoch=measurable.trained.epoch,
        split=found.split,
        views=found.views,
        samples=plain.pop("samples"),
        loss=plain["loss"],
        metrics={} if heads else plain,
        heads=heads,
        _result=found.result,
    )
