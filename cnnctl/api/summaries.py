"""Summaries of experiments, of checkpoints, and of any PyTorch module."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console, ConsoleOptions, RenderResult
from torch import nn

from cnnctl.api.network import Network, plan_of
from cnnctl.api.showing import Shown
from cnnctl.api.sources import Config, Options, Trained, check_positive, source_of, words_of
from cnnctl.errors import config_fault
from cnnctl.inspection import Row, gather, render, to_json, to_markdown
from cnnctl.inspection.foreign import COLUMNS, gather_module
from cnnctl.inspection.report import report_on
from cnnctl.inspection.tables import Report
from cnnctl.sources import open_experiment


@dataclass(frozen=True, repr=False)
class Summary(Shown):
    """The layers of a network and their sums; `print` and notebooks show a table."""

    report: Report
    depth: int | None = None
    columns: str = ""

    @property
    def layers(self) -> tuple[Row, ...]:
        """The facts of every layer and block, from input to output."""
        return self.report.summary.rows

    @property
    def parameters(self) -> int:
        """Parameters of the network; shared ones count once."""
        return self.report.summary.parameters

    @property
    def trainable(self) -> int:
        """Parameters that training changes."""
        return self.report.summary.trainable

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of convolutions and matrix products for one sample, as far as known."""
        return self.report.summary.multiply_adds

    @property
    def is_counted(self) -> bool:
        """Whether the multiply-adds of all layers are known."""
        return self.report.summary.is_counted

    def to_json(self) -> dict[str, Any]:
        """The same as plain data, as `cnnctl summary --json` prints it."""
        return to_json(self.report)

    def to_markdown(self) -> str:
        """The table in GitHub's Markdown."""
        return to_markdown(self.report, depth=self.depth, columns=self.columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield render(self.report, depth=self.depth, columns=self.columns)


def summary(
    source: Config | Trained | nn.Module,
    input_shape: Sequence[int] | Sequence[Sequence[int]] | None = None,
    *,
    overrides: Options | None = None,
    batch_size: int | None = None,
    dtype: torch.dtype = torch.float32,
    depth: int | None = None,
    columns: str = "",
    data_root: str | os.PathLike[str] | None = None,
    plugins: Sequence[str | os.PathLike[str]] = (),
) -> Summary:
    """Gather the shape, parameters and cost of every layer.

    source: what `build` and `load` take, or any module of PyTorch, which stays as it is.
    input_shape: the shape of a sample, without the batch, for a module: `(3, 224, 224)`; for one
        that takes several tensors, a list of their shapes.
    overrides: options by their dotted paths, for an experiment.
    batch_size: for the memory estimates; by default, that of the experiment, or 1.
    dtype: the dtype of a module's inputs: `torch.int64` for one that starts with an embedding.
    depth: nesting levels to show.
    columns: comma-separated columns to show, as in `cnnctl summary --columns`, or `all`.
    data_root: the dataset directory, where data has to be looked at for its shapes and classes.
    plugins: Python files that a checkpoint needs; their code is run.

    Raises:
        FaultError: the faults of the source; or the module cannot take such inputs.

    Example:
        >>> print(cnnctl.summary(torchvision.models.resnet18(), (3, 224, 224)))
    """
    check_positive("batch_size", batch_size)
    check_positive("depth", depth)
    if isinstance(source, Network) and input_shape is None and (plan := plan_of(source)):
        facts = gather(plan, batch_size=batch_size or 1)
        return Summary(Report(facts), depth, columns)
    if isinstance(source, nn.Module):
        shapes = _shapes(source, input_shape)
        facts = gather_module(source, shapes, dtype=dtype, batch_size=batch_size or 1)
        return Summary(Report(facts), depth, columns or COLUMNS)
    loaded = open_experiment(
        source_of(source),
        words_of(overrides),
        [Path(each) for each in plugins],
        data_root=None if data_root is None else Path(data_root),
    )
    return Summary(report_on(loaded, batch_size=batch_size), depth, columns)


def _shapes(
    module: nn.Module, given: Sequence[int] | Sequence[Sequence[int]] | None
) -> list[tuple[int, ...]]:
    """The shape of each tensor that a module takes, for one sample."""
    if given is None and isinstance(module, Network):
        given = module.input_shape
    if given is None:
        message = "the input shape of a module is not known"
        hint = "give it without the batch: summary(module, (3, 224, 224))"
        raise config_fault(message, hint=hint)
    if all(isinstance(side, int) for side in given):
        return [tuple(side for side in given if isinstance(side, int))]
    return [tuple(shape) for shape in given if not isinstance(shape, int)]
