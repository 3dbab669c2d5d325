"""Packages that only some users need, and the extras that install them."""

from __future__ import annotations

from importlib.util import find_spec

from cnnctl.errors import config_fault

EXTRAS = {
    "pygraphviz": "graph",
    "polars": "tables",
    "matplotlib": "plot",
    "captum": "explain",
    "cleanlab": "labels",
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "export",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "prometheus_client": "serve",
    "fsspec": "remote",
    "aiohttp": "remote",
    "s3fs": "remote",
}
"""The extra of each package, by the name it is imported by."""


def require(package: str, *, what: str, otherwise: str = "") -> None:
    """Check that a package of an extra is installed.

    Args:
        package: the name it is imported by.
        what: who needs it, as the beginning of a sentence: `Parquet files need`.
        otherwise: what the user can do instead, if anything.

    Raises:
        FaultError: it is not; the hint is the command that installs it.
    """
    if find_spec(package) is None:
        install = f"install it with: pip install 'cnnctl[{EXTRAS[package]}]'"
        hint = f"{install}, or {otherwise}" if otherwise else install
        raise config_fault(f"{what} the {package} package", hint=hint)
