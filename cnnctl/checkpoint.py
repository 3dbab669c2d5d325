"""The state of a run <-> one safetensors file.

Tensors are stored as tensors; everything else is one JSON document in the header's metadata,
with a SHA-256 of the whole file. No pickle: reading a checkpoint cannot run code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cnnctl.errors import FaultError, checkpoint_fault
from cnnctl.layout import Part, evaluated, under
from cnnctl.sealing import MAX_BYTES, is_whole, metadata_of, seal
from cnnctl.storage import read_regular, reading_cure, write_atomically

FORMAT = 1
MAX_DEPTH = 128
"""Twice the nesting depth of a configuration."""
_DOCUMENT_KEY = "cnnctl"

Tensors = dict[str, Tensor]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Named tensors and a JSON document."""

    tensors: Tensors
    document: Document

    def under(self, part: Part) -> Tensors:
        """The tensors of a part, by their names in it."""
        return under(part, self.tensors)

    @property
    def weights(self) -> Tensors:
        """The weights for evaluation: the averaged ones, if any."""
        return evaluated(self.tensors)

    @property
    def epoch(self) -> int | None:
        """Number of completed epochs; None if unknown."""
        counters = self.document.get("counters")
        epoch = counters.get("epoch") if isinstance(counters, dict) else None
        return epoch if type(epoch) is int else None


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint atomically.

    Raises:
        FaultError: it cannot be stored (exit code 6); an existing file is untouched.
    """
    write_atomically(path, *encode(checkpoint))


def encode(checkpoint: Checkpoint) -> tuple[bytes, bytes | memoryview]:
    """The content of its file, in two parts."""
    document = json.dumps({"format": FORMAT, **checkpoint.document}, separators=(",", ":"))
    return seal(checkpoint.tensors, {_DOCUMENT_KEY: document})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify its hash.

    Raises:
        FaultError: it does not exist, is not a cnnctl checkpoint, is truncated or damaged, or has
            a newer format (exit code 4).
    """
    return decode(read(path), place=str(path))


def read(path: Path) -> bytes:
    """The content of a file, not yet verified.

    Raises:
        FaultError: it cannot be read (exit code 4).
    """
    try:
        return read_regular(path, limit=MAX_BYTES)
    except OSError as error:
        reason, hint = f"cannot be read: {error.strerror}", reading_cure(error)
        raise checkpoint_fault(reason, hint=hint, place=str(path)) from None


def decode(content: bytes, *, place: str) -> Checkpoint:
    """The checkpoint that the content of a file is; `place` is what faults call it.

    Raises:
        FaultError: as `load`.
    """
    try:
        return _parse(content, place)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(content, place) from None


def _parse(content: bytes, place: str) -> Checkpoint:
    metadata = metadata_of(content)
    if _DOCUMENT_KEY not in metadata:
        message = "is a safetensors file, but not a cnnctl checkpoint"
        hint = "use a file in checkpoints/ of a run folder"
        raise checkpoint_fault(message, hint=hint, place=place)
    document = json.loads(metadata[_DOCUMENT_KEY])
    if not isinstance(document, dict) or type(document["format"]) is not int:
        raise _damaged(content, place)
    if document["format"] > FORMAT:
        message = f"has format {document['format']}; this cnnctl reads up to {FORMAT}"
        raise checkpoint_fault(message, hint="update cnnctl", place=place)
    if not is_whole(content):
        message = "is damaged: its content does not match its hash"
        raise checkpoint_fault(message, hint=_ELSEWHERE, place=place)
    if sum(1 for _ in levels(document)) > MAX_DEPTH:
        hint = "use a checkpoint that cnnctl wrote"
        message = f"is nested more than {MAX_DEPTH} levels deep"
        raise checkpoint_fault(message, hint=hint, place=place)
    return Checkpoint(safetensors.torch.load(content), document)


def levels(data: Any) -> Iterator[list[Any]]:
    """The values of plain data, level by level; not recursive, since Python limits recursion."""
    level = [data]
    while level:
        yield level
        nested = (value for value in level if isinstance(value, dict | list))
        inner = (value.values() if isinstance(value, dict) else value for value in nested)
        level = list(chain.from_iterable(inner))


_ELSEWHERE = "use another checkpoint of the run, or copy the file again"


def _damaged(content: bytes, place: str) -> FaultError:
    if content[:4] == b"PK\x03\x04" or content[:1] == b"\x80":
        message = "is a pickle, which could run code when loaded"
        hint = "cnnctl reads only its own safetensors files"
        return checkpoint_fault(message, hint=hint, place=place)
    if not content:
        return checkpoint_fault("is empty", hint=_ELSEWHERE, place=place)
    message = "is cut short, damaged, or not a checkpoint"
    return checkpoint_fault(message, hint=_ELSEWHERE, place=place)


def load_weights(network: nn.Module, tensors: Tensors) -> None:
    """Copy weights and buffers into a network.

    Raises:
        FaultError: a tensor is missing, unknown, or of another shape or dtype.
    """
    check_weights(network, tensors)
    network.load_state_dict(tensors)


def check_weights(network: nn.Module, tensors: Tensors) -> None:
    """Check weights and buffers against a network, which may be on the meta device.

    Raises:
        FaultError: a tensor is missing, unknown, or of another shape or dtype.
    """
    expected = network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise _unfit(f"{name} is missing")
        if name not in expected:
            raise _unfit(f"the network has no {name}")
        if form_of(tensors[name]) != form_of(expected[name]):
            raise _unfit(f"{name} is {form_of(tensors[name])}, not {form_of(expected[name])}")


def _unfit(reason: str) -> FaultError:
    message = f"its weights do not fit the network: {reason}"
    return checkpoint_fault(message, hint="use a checkpoint of this architecture")


def form_of(tensor: Tensor) -> str:
    """The shape and the dtype of a tensor, as in `[3, 4] float32`."""
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def pack(state: Any, *, prefix: str) -> tuple[Tensors, Any]:
    """Split a nested state into named tensors and a JSON skeleton that says where they belong.

    Tuples and numeric keys are marked, so that `unpack` restores exactly the same state.
    """
    tensors: Tensors = {}
    return tensors, _pack(state, prefix, tensors)


def _pack(value: Any, name: str, tensors: Tensors) -> Any:
    if isinstance(value, Tensor):
        while name in tensors:  # the keys 1 and "1" have the same name
            name += "'"
        # a clone, since safetensors refuses tensors that share memory
        tensors[name] = value.detach().clone()
        return {"$tensor": name}
    if isinstance(value, dict):
        entries = [[k, _pack(v, f"{name}.{k}", tensors)] for k, v in value.items()]
        return {"$dict": entries}
    if isinstance(value, list | tuple):
        items = [_pack(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name}: a {type(value).__name__} cannot be part of a checkpoint")


def unpack(skeleton: Any, tensors: Tensors) -> Any:
    """Restore a state; see `pack`.

    Raises:
        KeyError: a tensor is missing.
    """
    if isinstance(skeleton, list):
        return [unpack(item, tensors) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if "$tensor" in skeleton:
        return tensors[skeleton["$tensor"]]
    if "$tuple" in skeleton:
        return tuple(unpack(item, tensors) for item in skeleton["$tuple"])
    return {key: unpack(item, tensors) for key, item in skeleton["$dict"]}


def tensor_names(skeleton: Any) -> Iterator[str]:
    """The names of the tensors in a skeleton; see `pack`."""
    if isinstance(skeleton, dict) and isinstance(name := skeleton.get("$tensor"), str):
        yield name
    inner = skeleton.values() if isinstance(skeleton, dict) else skeleton
    for item in inner if isinstance(skeleton, dict | list) else ():
        yield from tensor_names(item)
