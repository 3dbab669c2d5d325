"""safetensors files that contain their own SHA-256, computed with the digest zeroed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import safetensors.torch
from torch import Tensor

MAX_BYTES = 1 << 36
"""Size limit: 64 GiB, more than any network that this program trains."""
_DIGEST_KEY = "sha256"
_NO_DIGEST = "0" * 64


def seal(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> tuple[bytes, bytes | memoryview]:
    """The two parts of a sealed file; the same content gives the same bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = safetensors.torch.save(plain, {**metadata, _DIGEST_KEY: _NO_DIGEST})
    head, body = _in_one_order(content)
    return _swap_digest(head, _NO_DIGEST, _digest(head, body)), body


def metadata_of(content: bytes) -> dict[str, str]:
    """The metadata in the header of a safetensors file.

    Raises:
        ValueError, RecursionError: there is no header.
    """
    length, _ = _parted(content)
    header = json.loads(content[8 : 8 + length])
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("not a safetensors header")
    return metadata


def is_sealed(metadata: Mapping[str, str]) -> bool:
    """Whether a file contains its hash."""
    return _DIGEST_KEY in metadata


def is_whole(content: bytes) -> bool:
    """Whether the content of a sealed file matches its hash.

    Raises:
        ValueError, KeyError, RecursionError: it is not sealed.
    """
    digest = metadata_of(content)[_DIGEST_KEY]
    length, body = _parted(content)
    return _digest(_swap_digest(content[: 8 + length], digest, _NO_DIGEST), body) == digest


def _in_one_order(content: bytes) -> tuple[bytes, memoryview]:
    """The header, with sorted keys, and the tensors of a safetensors file.

    safetensors sorts the tensors, but writes the metadata in random order.
    """
    length, body = _parted(content)
    text = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    header = text.encode()
    header += b" " * (-len(header) % 8)  # tensors start at a multiple of 8
    return len(header).to_bytes(8, "little") + header, body


def _parted(content: bytes) -> tuple[int, memoryview]:
    """The length of the header, and everything after it."""
    length = int.from_bytes(content[:8], "little")
    return length, memoryview(content)[8 + length :]


def _digest(head: bytes, body: memoryview) -> str:
    digest = hashlib.sha256(head)
    digest.update(body)
    return digest.hexdigest()


def _swap_digest(head: bytes, old: str, new: str) -> bytes:
    # quotes are escaped inside the document, so this occurs only in the header
    entry = '"{key}":"{digest}"'
    found = entry.format(key=_DIGEST_KEY, digest=old).encode()
    return head.replace(found, entry.format(key=_DIGEST_KEY, digest=new).encode(), 1)
