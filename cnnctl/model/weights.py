"""Weights that a training begins with: from a file or from torchvision."""

from __future__ import annotations

import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from cnnctl.errors import checkpoint_fault, config_fault
from cnnctl.model.layers.torchvision_models import Torchvision
from cnnctl.model.network import Plan
from cnnctl.storage import is_file

DEFAULT = "DEFAULT"
"""torchvision's own weights of a network, as it calls them."""

Tensors = dict[str, Tensor]

_OWN_PARTS = {"model", "average", "optimizer", "random", "tally"}
"""What the names in a checkpoint of cnnctl begin with."""
_WRAPPERS = ("state_dict", "model")
"""Where others keep the state dict among other things."""


def gather_weights(weights: str, plan: Plan) -> Tensors:
    """The tensors of `model.weights`: a file's, or torchvision's DEFAULT.

    Raises:
        FaultError: there are none, or they cannot be had.
    """
    if weights == DEFAULT:
        return default_weights(default_network(plan))
    return read_weights(Path(weights))


def default_network(plan: Plan) -> str:
    """The network of torchvision whose weights DEFAULT means.

    Raises:
        FaultError: there is none; the path is the experiment's.
    """
    for stage in plan.leaves():
        if isinstance(stage.layer, Torchvision):
            return stage.layer.model
    message = "only networks of torchvision have weights of their own"
    cure = "name a file of weights, or use a torchvision layer"
    raise config_fault(message, cure=cure, path=("model", "weights"))


def read_weights(path: Path) -> Tensors:
    """Read a state dict: .safetensors, or what torch.save wrote of it; nothing in it is run.

    A checkpoint of cnnctl gives the weights to evaluate with.

    Raises:
        FaultError: not there, damaged, or no state dict (exit code 4).
    """
    if not is_file(path):
        raise checkpoint_fault("no such file", cure="check the path", place=str(path))
    try:
        found = _parse(path)
    except Exception:  # a damaged file fails in every way there is
        message = "is damaged, or holds more than tensors"
        cure = "copy it again, or save the network's state_dict() alone"
        raise checkpoint_fault(message, cure=cure, place=str(path)) from None
    tensors = _unwrapped(found)
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        message, cure = "holds no state dict", "save the network's state_dict() alone"
        raise checkpoint_fault(message, cure=cure, place=str(path))
    return _weights_of_checkpoint(tensors)


def _parse(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _unwrapped(found: Any) -> dict[str, Any]:
    """The state dict itself, or nothing."""
    if not isinstance(found, dict):
        return {}
    inner = (found[key] for key in _WRAPPERS if isinstance(found.get(key), dict))
    state: dict[Any, Any] = next(inner, found)
    return state if all(isinstance(name, str) for name in state) else {}


def _weights_of_checkpoint(tensors: Tensors) -> Tensors:
    """Of a checkpoint of cnnctl the averaged weights, or else the weights; others as they are."""
    if not {name.partition(".")[0] for name in tensors} <= _OWN_PARTS:
        return tensors
    return _under("average.", tensors) or _under("model.", tensors) or tensors


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def default_weights(name: str) -> Tensors:
    """torchvision's own weights of one of its networks, downloaded once to torch's cache.

    Raises:
        FaultError: they could not be downloaded (exit code 4).
    """
    from torchvision.models import get_model_weights  # slow to import

    url = get_model_weights(name).DEFAULT.url
    try:
        tensors: Tensors = torch.hub.load_state_dict_from_url(
            url,
            map_location="cpu",
            progress=sys.stderr.isatty(),
            check_hash=True,
            weights_only=True,
        )
    except (OSError, RuntimeError, HTTPException) as error:
        message = f"could not be downloaded: {' '.join(str(error).split())}"
        cure = f"download {url} yourself, and write weights: FILE"
        raise checkpoint_fault(message, cure=cure, place=f"the weights of {name}") from None
    return tensors
