"""`import cnnctl` is light, and everything that it offers is documented."""

from __future__ import annotations

import copy
import pickle
import pydoc
import subprocess
import sys

import pytest

import cnnctl
from cnnctl import errors


def test_importing_it_loads_nothing_heavy() -> None:
    program = (
        "import sys, cnnctl; cnnctl.__version__; cnnctl.FaultError; dir(cnnctl)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.decode().split()}
    assert "cnnctl" in loaded
    assert not loaded & {"torch", "pydantic", "numpy", "rich", "yaml"}


def test_everything_is_there_and_has_help() -> None:
    assert set(cnnctl.__all__) <= set(dir(cnnctl))
    for name in cnnctl.__all__:
        if name not in ("__version__", "Prediction"):
            assert len(pydoc.getdoc(getattr(cnnctl, name))) > 20
    text = pydoc.plain(pydoc.render_doc(cnnctl.load))
    assert "Load a trained network, in evaluation mode." in text
    assert "plugins: Python files that the network needs; their code is run." in text


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'cnnctl' has no attribute 'lod'"):
        getattr(cnnctl, "lod")  # noqa: B009  (mypy knows that it is not there)
    assert cnnctl.FaultError is errors.FaultError


def test_a_fault_survives_copies_and_processes() -> None:
    error = errors.data_fault("is empty", hint="fill it", place="a.csv")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (other.faults, other.exit_code, str(other)) == (error.faults, 3, str(error))
