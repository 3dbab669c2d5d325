"""How well a network predicts values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Regression:
    """Errors are in the unit of the target values, over all of them alike."""

    samples: int
    loss: float
    mae: float
    """Mean absolute error."""
    rmse: float
    """Root of the mean squared error."""
    r2: float | None
    """Share of the variance that is explained, as a mean over the target values; none for a single
    sample."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)


def measure_regression(predictions: Tensor, targets: Tensor, *, loss: float) -> Regression:
    """Hold predictions (N, T) against the right values (N, T)."""
    # torchmetrics takes a variance below 1e-4 for none, whatever the unit of the values is
    from sklearn.metrics import r2_score
    from torchmetrics.functional.regression import mean_absolute_error, mean_squared_error

    predictions, targets = predictions.cpu().double(), targets.cpu().double()
    is_single = len(targets) < 2
    return Regression(
        samples=len(targets),
        loss=loss,
        mae=float(mean_absolute_error(predictions, targets)),
        rmse=float(mean_squared_error(predictions, targets, squared=False)),
        r2=None if is_single else float(r2_score(targets.numpy(), predictions.numpy())),
    )
