"""Matching of weights from elsewhere to a network: which tensor goes where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import filterfalse, zip_longest

import torch
from torch import Tensor, nn

from cnnctl.config.wording import times
from cnnctl.errors import FaultError, checkpoint_fault
from cnnctl.model.freezing import classifier
from cnnctl.model.layers.torchvision_models import WITH_AUXILIARY_HEADS
from cnnctl.model.weights_file import Tensors
from cnnctl.model.zoo.twins import twin_of

_COUNTER = "num_batches_tracked"
"""Buffer of batch norms, which old files lack."""
_LEAVES = {"weight", "bias", "running_mean", "running_var"}


@dataclass(frozen=True, slots=True)
class Matched:
    """Which tensor goes where."""

    tensors: Tensors
    """Tensors by their names in the network."""
    left_out: tuple[str, ...]
    """The network's tensors that stay initialised: a classifier for other classes."""
    names: Mapping[str, str]
    """What each tensor in `tensors` is called in the weights, by its name in the network."""


def fit_weights(network: nn.Module, tensors: Tensors) -> tuple[str, ...]:
    """Copy weights into a network, all or none; returns the tensors that stay initialised.

    Raises:
        FaultError: they do not fit; see `match_weights`.
    """
    matched = match_weights(network, tensors)
    network.load_state_dict(matched.tensors, strict=False)
    return matched.left_out


def match_weights(network: nn.Module, tensors: Tensors) -> Matched:
    """Find the tensor for each of the network's, which may be on the meta device.

    They are matched by name if the network or one of its layers has the same names; otherwise by
    order and shape, for networks whose layers have other names. The classifier may have another
    number of classes. Weights of a torchvision network that the zoo also has are tried in
    torchvision's order, too, since a .safetensors file has no order.

    Raises:
        FaultError: they do not fit; the message has the first difference (exit code 4).
    """
    try:
        return _match(network, tensors)
    except FaultError:
        ordered = _as_in_torchvision(tensors)
        if ordered is None or list(ordered) == list(tensors):
            raise
    return _match(network, ordered)


def _as_in_torchvision(tensors: Tensors) -> Tensors | None:
    """The tensors in torchvision's order, if it has a network with these names."""
    name = twin_of(compared_names(tensors))
    if name is None:
        return None
    return {key: tensors[key] for key in names_of_twin(name) if key in tensors}


def names_of_twin(name: str) -> list[str]:
    """The names of the tensors of one of torchvision's networks, in its order."""
    from torchvision import models  # slow to import

    heads = {"init_weights": False} if name in WITH_AUXILIARY_HEADS else {}
    with torch.device("meta"):
        return list(names_in_order(models.get_model(name, weights=None, **heads)))


def compared_names(names: Iterable[str]) -> set[str]:
    """Those by which a network is recognised: not of auxiliary heads, and no counters."""
    return _uncounted(filterfalse(is_auxiliary, names))


def names_in_order(module: nn.Module, prefix: str = "") -> Iterator[str]:
    """The names of a module's tensors, as `match_weights` takes those of torchvision's networks.

    Its own come after those of its children, so the layer scale of a ConvNeXt block comes where it
    is used, after the block's layers.
    """
    for name, child in module.named_children():
        yield from names_in_order(child, f"{prefix}{name}.")
    yield from (f"{prefix}{name}" for name in module.state_dict() if "." not in name)


def _match(network: nn.Module, tensors: Tensors) -> Matched:
    prefix, part = _receiver(network, tensors)
    theirs = _without_auxiliary_heads(tensors, part.state_dict())
    mine = _without_auxiliary_heads(_as_torchvision_orders(part), theirs)
    pairs = list(_pairs(mine, theirs))
    replaced = {*classifier(part), *filter(is_auxiliary, mine)}
    _check(pairs, mine, theirs, replaced)
    found = {
        a: theirs[b].reshape(mine[a].shape) if mine[a].shape != theirs[b].shape else theirs[b]
        for a, b in pairs
        if _sides(mine[a]) == _sides(theirs[b])
    }
    named = {f"{prefix}{name}": tensor for name, tensor in found.items()}
    missing = (name for name in network.state_dict() if name not in named)
    left_out = tuple(name for name in missing if not name.endswith(_COUNTER))
    return Matched(named, left_out, {f"{prefix}{a}": b for a, b in pairs if a in found})


def _receiver(network: nn.Module, tensors: Tensors) -> tuple[str, nn.Module]:
    """The layer that the weights belong to, by its name and a dot; otherwise the whole network.

    It has the same names or, if the network has another number of tensors, most of them.
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


def _uncounted(names: Iterable[str]) -> set[str]:
    return {name for name in names if not name.endswith(_COUNTER)}


def _without_auxiliary_heads(tensors: Tensors, others: Collection[str]) -> Tensors:
    """Omit the heads that are used in training only, unless both sides have them."""
    if any(map(is_auxiliary, others)):
        return tensors
    return {name: tensor for name, tensor in tensors.items() if not is_auxiliary(name)}


def _as_torchvision_orders(network: nn.Module) -> Tensors:
    """A network's tensors, with auxiliary heads before the classifier, as in torchvision.

    In cnnctl, they come where they are run.
    """
    tensors = network.state_dict()
    last = [name for name in classifier(network) if not is_auxiliary(name)]
    aside = [name for name in tensors if is_auxiliary(name)]
    rest = (name for name in tensors if name not in {*last, *aside})
    return {name: tensors[name] for name in (*rest, *aside, *last)}


def is_auxiliary(name: str) -> bool:
    """Whether a tensor is part of a head that is used in training only."""
    return name.lower().startswith("aux")


def _pairs(mine: Tensors, theirs: Tensors) -> Iterator[tuple[str, str]]:
    """Pairs of (network's name, file's name): by name if they are the same, or by order."""
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
    # all tensors of a batch norm have the same shape, so it cannot identify them
    if leaf != other_leaf and {leaf, other_leaf} <= _LEAVES:
        return False
    shape, wanted = _sides(theirs[other]), _sides(mine[name])
    return shape == wanted or (name in replaced and shape[1:] == wanted[1:])


def _sides(tensor: Tensor) -> tuple[int, ...]:
    """A tensor's shape without trailing 1s: a linear layer equals a 1x1 convolution."""
    first, *others = tensor.shape or (1,)
    while others and others[-1] == 1:
        others.pop()
    return (first, *others)


def _described(name: str, tensors: Tensors) -> str:
    if not name:
        return "nothing more"
    return f"{name} ({times(tensors[name].shape) or 'one number'})"


def _misfit(position: int, mine: str, theirs: str) -> FaultError:
    message = f"at tensor {position} the network has {mine}, but the weights have {theirs}"
    hint = (
        "use weights of this architecture; tensors with other names are matched by their order, "
        "which torch.save keeps and .safetensors files do not"
    )
    return checkpoint_fault(message, hint=hint)
