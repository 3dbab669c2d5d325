"""Arrays as scikit-learn has checked them -> samples as datasets store them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.arrays.form import IMAGE_DIMENSIONS
from cnnctl.data.normalization import WHITE

MOST_DIMENSIONS = IMAGE_DIMENSIONS + 1


def dtype_of(inputs: Any) -> Any:
    """The dtype to convert inputs to: pictures of bytes stay bytes, all else becomes float32."""
    is_bytes = isinstance(inputs, np.ndarray) and inputs.dtype == np.uint8
    return np.uint8 if is_bytes and inputs.ndim == MOST_DIMENSIONS else np.float32


def white_of(inputs: NDArray[Any]) -> float | None:
    """The number for a white pixel in pictures (N, C, H, W); None if they are no pixels."""
    if inputs.ndim != MOST_DIMENSIONS:
        return None
    if inputs.dtype == np.uint8:
        return float(WHITE)
    return 1.0 if inputs.min() >= 0 and inputs.max() <= 1 else None


def stored(inputs: NDArray[Any], *, white: float | None) -> Tensor:
    """Inputs (N, …) in the form of a dataset with this white, in which a number means the same."""
    if white == WHITE and inputs.dtype != np.uint8:
        return torch.from_numpy(inputs / np.float32(WHITE))
    dtype = np.uint8 if white == WHITE else np.float32
    return torch.from_numpy(np.require(inputs, dtype, "W"))  # torch warns of read-only memory
