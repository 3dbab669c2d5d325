"""Reads weights files of other programs: verified, only plain tensors, and without running code."""

from __future__ import annotations

import errno
import io
import struct
import warnings
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cnnctl.config.wording import times
from cnnctl.errors import FaultError, checkpoint_fault
from cnnctl.layout import Part, evaluated, part_of
from cnnctl.sealing import MAX_BYTES, is_sealed, is_whole, metadata_of
from cnnctl.storage import read_regular, reading_cure

Tensors = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model")
"""Keys under which other programs store the state dict."""
_DAMAGED = (
    *(SafetensorError, BadZipFile, ValueError, EOFError, OSError, RuntimeError),
    *(KeyError, TypeError, OverflowError, struct.error),
)
"""Errors that the readers of safetensors and zip files raise for malformed files."""


def read_weights(path: Path) -> Tensors:
    """Read a state dict from a .safetensors or torch.save file, without running code in it.

    A cnnctl checkpoint provides its weights for evaluation. Checksums are verified if the format
    has them: the hash of a cnnctl checkpoint, and the CRCs of the zip that torch.save has
    written since 1.6. Older .pth files and other .safetensors have none.

    Raises:
        FaultError: it does not exist, is damaged, or is not a state dict of plain tensors (exit
            code 4).
    """
    try:
        content = read_regular(path, limit=MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        found = _parse(content, is_safetensors=path.suffix == ".safetensors")
    except _DAMAGED as error:
        message = "is damaged, or contains more than tensors"
        hint = "copy it again, or save only the network's state_dict()"
        raise checkpoint_fault(message, hint=hint, place=str(path)) from error
    tensors = _unwrapped(found)
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        message, hint = "contains no state dict", "save only the network's state_dict()"
        raise checkpoint_fault(message, hint=hint, place=str(path))
    for name, tensor in tensors.items():
        if reason := _oddity(tensor):
            hint = "save it as a dense, real-valued tensor on the CPU"
            raise checkpoint_fault(f"{name} is {reason}", hint=hint, place=str(path))
    return _weights_of_checkpoint({name: tensor.detach() for name, tensor in tensors.items()})


def _unreadable(path: Path, error: OSError) -> FaultError:
    if error.errno == errno.ENOENT:
        return checkpoint_fault("no such file", hint="check the path", place=str(path))
    reason = f"cannot be read: {error.strerror}"
    return checkpoint_fault(reason, hint=reading_cure(error), place=str(path))


def _parse(content: bytes, *, is_safetensors: bool) -> Any:
    if is_safetensors:
        if is_sealed(metadata_of(content)) and not is_whole(content):
            raise ValueError("the content does not match its hash")
        return safetensors.torch.load(content)
    if content.startswith(b"PK"):
        _check_archive(content)
    return _unpickled(content)


def _unpickled(content: bytes) -> Any:
    """The content of a torch.save file with only tensors and containers.

    Raises:
        ValueError: it is damaged, or something else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about archives that it then rejects
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        # torch has no exception for this: damaged files raise a dozen of Python's
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _check_archive(content: bytes) -> None:
    """Verify a zip's CRCs, which torch ignores.

    Raises:
        BadZipFile: one does not match, or members are compressed or overlap, and could unpack to
            far more than the file's size.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if any(part.compress_type != ZIP_STORED for part in parts):
            raise BadZipFile("compressed")
        if sum(part.file_size for part in parts) > len(content):
            raise BadZipFile("overlapping")
        if damaged := archive.testzip():
            raise BadZipFile(damaged)


def _unwrapped(found: Any) -> dict[str, Any]:
    """The state dict itself; None if there is none."""
    if not isinstance(found, dict):
        return {}
    inner = (found[key] for key in _WRAPPERS if isinstance(found.get(key), dict))
    state: dict[Any, Any] = next(inner, found)
    return state if all(isinstance(name, str) for name in state) else {}


def _oddity(tensor: Tensor) -> str | None:
    """Why a tensor cannot be a weight; None if it can."""
    if type(tensor) not in (Tensor, nn.Parameter):
        return f"a {type(tensor).__name__}"
    if tensor.is_nested:
        return "nested"
    if tensor.is_quantized:
        return "quantized"
    if tensor.layout != torch.strided:
        return str(tensor.layout).removeprefix("torch.").replace("_", " ")
    if tensor.device.type != "cpu":
        return f"on the {tensor.device.type} device"
    if tensor.is_complex():
        return "complex"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"{times(tensor.shape)}, larger than its stored data"
    return None


def _weights_of_checkpoint(tensors: Tensors) -> Tensors:
    """For a cnnctl checkpoint, the averaged weights or else the weights; others unchanged."""
    is_checkpoint = set(map(part_of, tensors)) <= set(Part)
    return (evaluated(tensors) if is_checkpoint else {}) or tensors
