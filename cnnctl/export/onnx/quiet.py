"""ONNX Runtime and the exporter, without telemetry and without chatter."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any


def onnx_runtime() -> Any:
    """The onnxruntime module.

    From 1.29 on, importing it creates a device identifier and a database in the user's cache, and
    sends events to Microsoft, unless this variable is set before.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings, prints and logs of the exporter and of ONNX Runtime off the terminal."""
    onnx_runtime().set_default_logger_severity(4)  # fatal; errors are exceptions as well
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
