"""Metrics of predicted values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnctl.metrics.metric import Valued

if TYPE_CHECKING:
    from torch import Tensor


class MAE(Valued, kind="mae"):
    """The mean absolute error."""

    label = "MAE"

    def compute(self, predicted: Tensor, targets: Tensor) -> float:
        from torchmetrics.functional.regression import mean_absolute_error

        return float(mean_absolute_error(predicted, targets))


class RMSE(Valued, kind="rmse"):
    """The root of the mean squared error."""

    label = "RMSE"

    def compute(self, predicted: Tensor, targets: Tensor) -> float:
        from torchmetrics.functional.regression import mean_squared_error

        return float(mean_squared_error(predicted, targets, squared=False))


class R2(Valued, kind="r2"):
    """The fraction of explained variance, averaged over the target values.

    None for a single sample.
    """

    label = "R²"
    more_is_better = True

    def compute(self, predicted: Tensor, targets: Tensor) -> float | None:
        # torchmetrics treats a variance below 1e-4 as 0, whatever the unit of the values
        from sklearn.metrics import r2_score

        return None if len(targets) < 2 else float(r2_score(targets.numpy(), predicted.numpy()))

    def show(self, value: float) -> str:
        return f"{value:.4f}"
