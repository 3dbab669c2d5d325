"""Verification of an optimizer's state: the form of every tensor and the range of every number.

torch does not document the state of its optimizers, so it is observed on two small weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, optim

from cnnctl.checkpoint import form_of
from cnnctl.optim.optimizers import Optimizer

SCHEDULED = ("lr", "momentum", "betas")
"""Settings of a parameter group that change during training."""
CHOSEN_BY_TORCH = ("fused", "foreach", "capturable")
"""Settings that select an implementation and do not change the result."""
SCALES = (0.0, 0.01, 1.0, 100.0)
"""Factors on the loss of the example, from a vanishing gradient to a large one."""
STEPS = 6


def verified(
    found: Any, optimizer: optim.Optimizer, kinds: Sequence[Optimizer], *, steps: int
) -> dict[str, Any]:
    """Verify an optimizer's state from a checkpoint against a new optimizer.

    kinds: that of each parameter group. steps: the number of steps that the run has taken.

    Raises:
        ValueError: it is not a valid state of this optimizer; the message names the part.
    """
    if not isinstance(found, dict) or found.keys() != {"state", "param_groups"}:
        raise ValueError("state and param_groups are missing")
    groups = _verified_groups(found["param_groups"], optimizer.state_dict()["param_groups"])
    entries = found["state"]
    if not isinstance(entries, dict):
        raise ValueError("state: is not a mapping")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    total = sum(parameter.numel() for parameter in parameters)
    examples = _examples(kinds, device=parameters[0].device)
    kind_of = {
        index: kind for group, kind in zip(groups, kinds, strict=True) for index in group["params"]
    }
    for index, entry in entries.items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise ValueError(f"state.{index}: no such parameter")
        kind = kind_of[index]
        for problem in examples[id(kind)].problems(entry, parameters[index], total):
            raise ValueError(f"state.{index}{problem}")
        for problem in _out_of_range(entry, kind, steps):
            raise ValueError(f"state.{index}{problem}")
    for group, kind in zip(groups, kinds, strict=True):
        for problem in examples[id(kind)].gaps(entries, group):
            raise ValueError(f"state.{problem}")
    return {"state": entries, "param_groups": groups}


def _examples(kinds: Sequence[Optimizer], *, device: torch.device) -> dict[int, Example]:
    """An example of each of these kinds, by its id."""
    return {id(kind): observe(kind, device=device) for kind in {id(k): k for k in kinds}.values()}


def _verified_groups(found: Any, fresh: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups of a new optimizer, with the run's current values of scheduled settings."""
    if not isinstance(found, list) or len(found) != len(fresh):
        raise ValueError(f"param_groups: expected {len(fresh)}")
    groups = []
    for index, (group, new) in enumerate(zip(found, fresh, strict=True)):
        if not isinstance(group, dict) or not {"params", "lr"} <= group.keys():
            raise ValueError(f"param_groups.{index}: params or lr is missing")
        for key, value in group.items():
            if key not in new or not _fits(key, value, new[key]):
                raise ValueError(f"param_groups.{index}.{key}: does not match the experiment")
        groups.append({**new, **{key: group[key] for key in SCHEDULED if key in group}})
    return groups


def _fits(key: str, value: object, fresh: object) -> bool:
    if key in CHOSEN_BY_TORCH:
        return True
    if key == "betas":
        return isinstance(value, tuple) and len(value) == 2 and all(map(_is_share, value))
    if key == "momentum":
        return _is_share(value)
    if key == "lr":
        return _is_number(value) and float(value) >= 0  # type: ignore[arg-type]
    return _is_same(value, fresh)


def _is_same(value: object, fresh: object) -> bool:
    """Compare values and types, since True equals 1; tensors never match."""
    if type(value) is not type(fresh) or isinstance(value, Tensor):
        return False
    if isinstance(value, list | tuple) and isinstance(fresh, list | tuple):
        return len(value) == len(fresh) and all(map(_is_same, value, fresh))
    return value == fresh


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value < 1  # type: ignore[operator]


def _is_number(value: object) -> bool:
    """Whether it is a finite number that fits a double or an int64."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**63 if isinstance(value, int) else isfinite(value)


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a value in a state: its type, and for a tensor its dtype and size."""

    type: str
    size: str = ""
    """For a tensor: that of the `weight`, of `all` weights together, or of a `number`."""

    def accepts(self, value: object, weight: Tensor, total: int) -> bool:
        """Whether a value has this form; `total` is the number of elements of all weights."""
        if not self.size:
            return self == plain_form(value)
        shapes = {"weight": weight.shape, "all": (total,), "number": ()}
        if not isinstance(value, Tensor) or tuple(value.shape) != tuple(shapes[self.size]):
            return False
        is_weights = self.size != "number" and self.type == "float32"
        return (str(weight.dtype) if is_weights else f"torch.{self.type}") == str(value.dtype)


def plain_form(value: object) -> Form:
    """The form of a value that is not a tensor."""
    return Form("number" if _is_number(value) else type(value).__name__)


@dataclass(frozen=True, slots=True)
class Example:
    """The states of weights observed over several steps."""

    weights: tuple[Tensor, ...]
    owners: set[int] = field(default_factory=set)
    """The `id` of each weight that has its own state."""
    forms: dict[str, set[Form]] = field(default_factory=dict)
    """The forms of each key; those of list items are under `key[]`."""
    lengths: dict[frozenset[str], list[dict[str, int]]] = field(default_factory=dict)
    """The lengths of the lists after every step, by the set of keys present."""
    zeros: dict[frozenset[str], set[str]] = field(default_factory=dict)
    """The keys that are always zero, by the set of keys present."""

    def look(self, state: dict[str, Any], weight: Tensor) -> None:
        """Record the current state of a weight."""
        keys = frozenset(state)
        self.owners.add(id(weight))
        for name, value in _items(state):
            self.forms.setdefault(name, set()).add(self._form(value, weight))
        self.lengths.setdefault(keys, []).append(_lengths(state))
        zeros = {key for key, value in state.items() if type(value) is int and value == 0}
        self.zeros[keys] = self.zeros.get(keys, zeros) & zeros

    def _form(self, value: object, weight: Tensor) -> Form:
        if not isinstance(value, Tensor):
            return plain_form(value)
        total = sum(weight.numel() for weight in self.weights)
        sizes = {tuple(weight.shape): "weight", (total,): "all", (): "number"}
        return Form(str(value.dtype).removeprefix("torch."), sizes[tuple(value.shape)])

    def problems(self, entry: Any, weight: Tensor, total: int) -> Iterator[str]:
        """Describe everything in the state of a weight that was never observed."""
        if not isinstance(entry, dict) or frozenset(entry) not in self.lengths:
            yield ": does not have the entries of this optimizer"
            return
        for name, value in _items(entry):
            if not any(form.accepts(value, weight, total) for form in self._forms_of(name)):
                what = form_of(value) if isinstance(value, Tensor) else type(value).__name__
                yield f".{name}: {what} does not fit a weight of {form_of(weight)}"
        keys = frozenset(entry)
        yield from (f".{key}: is not 0" for key in self.zeros[keys] if entry[key] != 0)
        yield from self._uneven(_lengths(entry), self.lengths[keys])

    def gaps(self, entries: dict[int, dict[str, Any]], group: dict[str, Any]) -> Iterator[str]:
        """Describe entries that some weights of a group lack; torch's kernels need all or none.

        Kinds that keep everything in the first weight's state, such as lbfgs, have no gaps.
        """
        if len(self.owners) < len(self.weights):
            return
        kept = {index: _present(entries.get(index, {})) for index in group["params"]}
        everything = set().union(*kept.values())
        yield from (
            f"{index}: {min(everything - keys)} is missing, but others in the group have it"
            for index, keys in kept.items()
            if keys != everything
        )

    def _forms_of(self, key: str) -> set[Form]:
        """The forms of a key; a kind that counts in Python also accepts a number as a tensor."""
        forms, numbers = self.forms.get(key, set()), {Form("number"), Form("float32", "number")}
        counts = any(Form("number") in seen for seen in self.forms.values())
        return forms | numbers if counts and forms & numbers else forms

    def _uneven(self, found: dict[str, int], seen: list[dict[str, int]]) -> Iterator[str]:
        """Describe lists with a new length, or not as long as the lists they grow with."""
        fixed = {key for key in found if {lengths[key] for lengths in seen} == {seen[0][key]}}
        yield from (f".{k}: has {found[k]} items" for k in fixed if found[k] != seen[0][k])
        growing = found.keys() - fixed
        if len({found[key] for key in growing}) > 1:
            yield f".{min(growing)}: differs in length from the others"


def observe(kind: Optimizer, *, device: torch.device) -> Example:
    """Run an optimizer on two small weights for a few steps, and record its states."""
    kind = kind.model_copy(update=kind.revealing)
    weights = tuple(torch.zeros(s, device=device, requires_grad=True) for s in ((2, 3), (4,)))
    example = Example(weights)
    for scale in SCALES:
        optimizer = kind.build([{"params": list(weights)}], fused=True)
        for _ in range(STEPS):
            optimizer.step(lambda scale=scale: _loss(weights, scale))  # type: ignore[misc, arg-type]
            for weight, state in optimizer.state.items():
                example.look(state, weight)
        with torch.no_grad():
            for weight in weights:
                weight.zero_()
    return example


def _loss(weights: tuple[Tensor, ...], scale: float) -> Tensor:
    """A loss with positive and negative curvature; computes the gradients."""
    for weight in weights:
        weight.grad = None
    total = sum(((weight + 0.1).cos().sum() for weight in weights), torch.zeros(()))
    loss = scale * total
    loss.backward()  # type: ignore[no-untyped-call]
    return loss


def _items(state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """All values of a state, including the items of lists."""
    for key, value in state.items():
        yield str(key), value
        if isinstance(value, list):
            yield from ((f"{key}[]", item) for item in value)


def _present(state: dict[str, Any]) -> set[str]:
    return {str(key) for key, value in state.items() if value is not None}


def _lengths(state: dict[str, Any]) -> dict[str, int]:
    return {key: len(value) for key, value in state.items() if isinstance(value, list)}


def _out_of_range(entry: dict[str, Any], kind: Optimizer, steps: int) -> Iterator[str]:
    """Describe numbers that training cannot reach; torch divides by values derived from them."""
    for name, value in _items(entry):
        if isinstance(value, Tensor) and value.dim():
            continue
        number = float(value) if isinstance(value, int | float | Tensor) else 0.0
        if not isfinite(number):
            yield f".{name}: is {number}"
        elif name == "step" and not (0 <= number <= steps and number.is_integer()):
            yield f".{name}: is {number:g} after {steps} steps"
        elif name in kind.state_shares and not 0 <= number <= 1:
            yield f".{name}: is {number:g}, not between 0 and 1"
