"""The base of datasets in files that users bring along, which are cut into splits here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from cnnctl.config.bounds import NonNegativeInt
from cnnctl.config.choice import Spec
from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.division import check_room, hold_out
from cnnctl.data.paths import DataPath
from cnnctl.data.records import GivenSplit
from cnnctl.data.samples import Samples
from cnnctl.data.splits import Positions
from cnnctl.errors import FaultError, config_fault, data_fault


class SampleCounts(Spec):
    """The number of samples in each split."""

    train: NonNegativeInt
    """Samples in the training split, without validation."""
    validation: NonNegativeInt
    """Samples held out for validation."""
    test: NonNegativeInt
    """Samples in the test split."""


class FileSet(DataSet):
    """A dataset in files that its user brings along."""

    path: DataPath
    """File, folder or archive with the data, relative to this file."""
    test: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = "auto"
    """Fraction of the samples to hold out for testing; `auto` is the data's own test split, or
    0.15 without one."""
    classes: Annotated[list[str], Field(max_length=100_000)] = Field(default=[])
    """Class names, in order (default: the names in the data, sorted)."""
    samples: SampleCounts | None = None
    """Number of samples in each split (default: counted)."""
    content: Literal["auto"] | dict[StoredSplit, str] = "auto"
    """Hash of the files of each split; `auto` computes it when training starts."""
    _is_located: bool = PrivateAttr(default=False)
    """Whether the files were named on the command line, so that they may be others."""

    @property
    def has_validation(self) -> bool:
        return self.known_samples.validation > 0

    @property
    def known_samples(self) -> SampleCounts:
        """The number of samples in each split.

        Raises:
            FaultError: they have not been counted.
        """
        if self.samples is None:
            raise not_surveyed()
        return self.samples

    @property
    def test_share(self) -> float | None:
        """The share to hold out for testing; None for the data's own split, or 0.15."""
        return None if self.test == "auto" else self.test

    def held_out(self, samples: int) -> int:
        return self.samples.validation if self.samples else self.share_of(samples)

    def validation_part(
        self,
        given: Sequence[GivenSplit | None],
        *,
        seed: int,
        classes: Positions | None = None,
        labels: NDArray[np.bool_] | None = None,
        groups: Sequence[str] | None,
    ) -> Positions:
        """Positions of the validation split among those for training, as they will be held out."""
        own = [at for at, split in enumerate(given) if split == "validation"]
        if own:
            return np.array(own, dtype=np.int64)
        wanted = self.held_out(len(given))
        if classes is not None and groups is None:
            check_room(classes, held_out=wanted, option="validation")
        return hold_out(
            len(given), held_out=wanted, seed=seed, classes=classes, labels=labels, groups=groups
        )[1]

    def located(self, folder: Path | None) -> Self:
        if folder is None:
            return self
        located = self.model_copy(update={"path": str(folder.expanduser().absolute())})
        located._is_located = True
        return located

    def identified(self, splits: Mapping[StoredSplit, Samples]) -> Self:
        content = {name: samples.identity for name, samples in splits.items()}
        for name, identity in content.items():
            if self.content != "auto" and self.content.get(name) != identity:
                message = f"the {name} split has changed since the run was started"
                hint = "restore the files, or start a new run"
                raise data_fault(message, hint=hint, place=self.path)
        return self.model_copy(update={"content": content})


def not_surveyed() -> FaultError:
    """The fault of a dataset whose files have not been looked at."""
    message = "the data has not been surveyed"
    return config_fault(message, hint="read the experiment from its YAML file")
