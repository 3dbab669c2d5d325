"""Reading as code: what `read_split` is made of, and the function that writes it for a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, singledispatch
from pathlib import Path

from cnnctl.data.dataset import DataSet
from cnnctl.data.image_set import ImageSet
from cnnctl.data.samples import Samples
from cnnctl.errors import config_fault
from cnnctl.export.training_source.layout import call, literal

HEADER = """
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

"""
SIGNATURE = "def read_split(*, train: bool) -> tuple[Tensor, ...]:"


@dataclass(frozen=True)
class Needs:
    """What reading a dataset depends on."""

    targets: tuple[str, ...]
    """The names of the targets to return, the first of which the splits are stratified by."""
    test_counts: tuple[int, ...]
    """Samples of each class in the test split, or of all."""
    test: Samples
    """Those of the test split, or of the training split if there is none."""

    def is_tested(self, file: Path) -> bool:
        """Whether a file is a sample of the test split."""
        return bool(sum(self.test_counts)) and str(file) in self._test_names

    @cached_property
    def _test_names(self) -> set[str]:
        return {self.test.called(at) for at in range(len(self.test))}


@singledispatch
def reading_source(data: DataSet, needs: Needs) -> str:
    """`read_split(train=…)`, which returns inputs and targets of the training or the test split.

    Raises:
        FaultError: it cannot be written.
    """
    message = f"a training script cannot read {data.kind}"
    raise config_fault(message, hint="leave out --training, or use data of another kind")


def split_function(document: str, *lines: str) -> str:
    """`read_split` with this docstring and these lines."""
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    return f'{SIGNATURE}\n    """{document}"""\n{body}\n'


def resize_lines(data: ImageSet) -> list[str]:
    """The line that resizes `images`, if they are resized."""
    size, native = data.whole().shape[1:], data.original().shape[1:]
    if size == native:
        return []
    options = {"mode": "bilinear", "antialias": True}
    return [f"images = {call('F.interpolate', 'images', literal(tuple(size)), **options)}"]


def image_lines(code: str, data: ImageSet) -> list[str]:
    """Lines that assign `images`, resized if they are."""
    return [f"images = {code}", *resize_lines(data)]
