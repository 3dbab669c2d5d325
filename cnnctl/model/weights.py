"""Weights that a training begins with: from a file or from torchvision, and into a network."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from itertools import zip_longest
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from cnnctl.errors import FaultError, checkpoint_fault, config_fault
from cnnctl.model.freezing import classifier
from cnnctl.model.layers.torchvision_models import Torchvision
from cnnctl.model.network import Plan

DEFAULT = "DEFAULT"
"""torchvision's own weights of a network, as it calls them."""

Tensors = dict[str, Tensor]

_OWN_PARTS = {"model", "average", "optimizer", "random", "tally"}
"""What the names in a checkpoint of cnnctl begin with."""
_WRAPPERS = ("state_dict", "model")
"""Where others keep the state dict among other things."""
_COUNTER = "num_batches_tracked"
"""Of batch norms; files of old have none."""
_LEAVES = {"weight", "bias", "running_mean", "running_var"}


@dataclass(frozen=True, slots=True)
class Matched:
    """Which tensor goes where."""

    tensors: Tensors
    """By their names in the network."""
    left_out: tuple[str, ...]
    """The network's tensors that keep their start: a classifier for other classes."""


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
    if not path.is_file():
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


def fit_weights(network: nn.Module, tensors: Tensors) -> tuple[str, ...]:
    """Copy weights into a network, all or none; returns what kept its start.

    Raises:
        FaultError: they do not fit; see `match_weights`.
    """
    matched = match_weights(network, tensors)
    network.load_state_dict(matched.tensors, strict=False)
    return matched.left_out


def match_weights(network: nn.Module, tensors: Tensors) -> Matched:
    """Find the tensor for each of the network's; the meta device is enough for the network.

    By name, where the network or one of its layers has the same names; otherwise by order and
    shape, which finds a network that calls its layers otherwise. The classifier may have another
    number of classes.

    Raises:
        FaultError: they do not fit, with the first difference (exit code 4).
    """
    prefix, part = _receiver(network, tensors)
    theirs = _without_auxiliary_heads(tensors, part.state_dict())
    mine = _without_auxiliary_heads(_as_torchvision_orders(part), theirs)
    pairs = list(_pairs(mine, theirs))
    replaced = {*classifier(part), *filter(_is_auxiliary, mine)}
    _check(pairs, mine, theirs, replaced)
    found = {a: theirs[b] for a, b in pairs if mine[a].shape == theirs[b].shape}
    named = {f"{prefix}{name}": tensor for name, tensor in found.items()}
    missing = (name for name in network.state_dict() if name not in named)
    return Matched(named, tuple(name for name in missing if not name.endswith(_COUNTER)))


def _receiver(network: nn.Module, tensors: Tensors) -> tuple[str, nn.Module]:
    """The layer that the weights are of, with its name and a dot; else the whole network.

    It has the same names, or, where the whole network has more or fewer tensors than there are,
    most of them.
    """
    children = {f"{name}.": child for name, child in network.named_children()}
    shared = {name: len(_shared(child, tensors)) for name, child in children.items()}
    name = max(shared, key=shared.__getitem__, default="")
    if not name or 2 * shared[name] <= len(tensors):
        return "", network
    names, whole = _uncounted(children[name].state_dict()), _uncounted(network.state_dict())
    wanted = _uncounted(_without_auxiliary_heads(tensors, names))
    is_meant = names == wanted or len(whole) != len(wanted)
    return (name, children[name]) if is_meant else ("", network)


def _shared(module: nn.Module, tensors: Tensors) -> set[str]:
    return module.state_dict().keys() & tensors.keys()


def _uncounted(names: Collection[str]) -> set[str]:
    return {name for name in names if not name.endswith(_COUNTER)}


def _without_auxiliary_heads(tensors: Tensors, others: Collection[str]) -> Tensors:
    """Leave out the heads that serve training alone, unless the others have them as well."""
    if any(map(_is_auxiliary, others)):
        return tensors
    return {name: tensor for name, tensor in tensors.items() if not _is_auxiliary(name)}


def _as_torchvision_orders(network: nn.Module) -> Tensors:
    """A network's tensors, with auxiliary heads where torchvision has them: before the classifier.

    Here they stand where they are run.
    """
    tensors = network.state_dict()
    last = [name for name in classifier(network) if not _is_auxiliary(name)]
    aside = [name for name in tensors if _is_auxiliary(name)]
    rest = (name for name in tensors if name not in {*last, *aside})
    return {name: tensors[name] for name in (*rest, *aside, *last)}


def _is_auxiliary(name: str) -> bool:
    return name.lower().startswith("aux")


def _pairs(mine: Tensors, theirs: Tensors) -> Iterator[tuple[str, str]]:
    """(network's name, file's name): by name where they are the same, or by order."""
    if _uncounted(mine) == _uncounted(theirs):
        return ((name, name) for name in mine if name in theirs)
    are_counted = len(mine) == len(theirs)
    ours, others = (
        [name for name in names if are_counted or not name.endswith(_COUNTER)]
        for names in (mine, theirs)
    )
    return zip_longest(ours, others, fillvalue="")


def _check(
    pairs: list[tuple[str, str]], mine: Tensors, theirs: Tensors, replaced: Collection[str]
) -> None:
    for position, (name, other) in enumerate(pairs, 1):
        if not name or not other or not _fits(name, other, mine, theirs, replaced):
            raise _misfit(position, _described(name, mine), _described(other, theirs))


def _fits(name: str, other: str, mine: Tensors, theirs: Tensors, replaced: Collection[str]) -> bool:
    leaf, other_leaf = (full.rpartition(".")[2] for full in (name, other))
    # what a batch norm has is of one shape, so there the shape alone tells nothing
    if leaf != other_leaf and {leaf, other_leaf} <= _LEAVES:
        return False
    shape, wanted = theirs[other].shape, mine[name].shape
    return shape == wanted or (name in replaced and shape[1:] == wanted[1:])


def _described(name: str, tensors: Tensors) -> str:
    if not name:
        return "nothing more"
    return f"{name} ({'x'.join(map(str, tensors[name].shape)) or 'one number'})"


def _misfit(position: int, mine: str, theirs: str) -> FaultError:
    message = f"at tensor {position} the network has {mine}, but the weights have {theirs}"
    cure = (
        "use the weights of this architecture; where names differ the order counts, which "
        "torch.save keeps and a .safetensors file does not"
    )
    return checkpoint_fault(message, cure=cure)
