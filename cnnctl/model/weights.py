"""Initial weights, from a file or from torchvision."""

from __future__ import annotations

import sys
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import torch

from cnnctl.errors import checkpoint_fault, config_fault
from cnnctl.model.layers.torchvision_models import Torchvision
from cnnctl.model.network import NetworkPlan
from cnnctl.model.weights_file import Tensors, read_weights
from cnnctl.paths import is_file

DEFAULT = "DEFAULT"
"""torchvision's name for the default weights of a network."""


def gather_weights(weights: str, plan: NetworkPlan) -> Tensors:
    """The tensors of `model.weights`: a file's, or torchvision's DEFAULT.

    Raises:
        FaultError: there are none, or they are not available.
    """
    if weights == DEFAULT:
        return default_weights(default_network(plan))
    return read_weights(Path(weights))


def default_network(plan: NetworkPlan) -> str:
    """The torchvision network whose weights DEFAULT refers to.

    Raises:
        FaultError: there is none; the path is that of the experiment.
    """
    for stage in plan.leaves():
        if isinstance(stage.layer, Torchvision):
            return stage.layer.model
    message = "only torchvision networks have default weights"
    hint = "give a weights file, or use a torchvision network"
    raise config_fault(message, hint=hint, path=("model", "weights"))


def is_cached(name: str) -> bool:
    """Whether torchvision's own weights of a network are in torch's cache already."""
    from torchvision.models import get_model_weights  # slow to import

    file = PurePosixPath(urlsplit(get_model_weights(name).DEFAULT.url).path).name
    return is_file(Path(torch.hub.get_dir()) / "checkpoints" / file)


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
        hint = f"download {url} and set weights: FILE"
        raise checkpoint_fault(message, hint=hint, place=f"the weights of {name}") from None
    return tensors
