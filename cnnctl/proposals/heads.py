"""Several targets: the names of their heads, what each head learns, and its layers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cnnctl.data.sample_targets import TargetSource
from cnnctl.data.tables.targets import TargetColumns
from cnnctl.model.layer import Name
from cnnctl.proposals.document import Setting
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.settings import IMBALANCED, imbalance_of, loss_of

RARE = 20
"""Samples of a class or label below which a split may get none, unless it is stratified by it."""
_NAME = TypeAdapter[str](Name)


def head_names(targets: Sequence[str]) -> list[str]:
    """The name of the head for each of these columns or arrays: the same where it can be one."""
    found = list[str]()
    for target in targets:
        name = target
        if not _is_name(name):
            name = re.sub(r"\W+", "_", target, flags=re.ASCII).strip("_") or "target"
            name = f"n{name}" if name[0].isdigit() else name
        others = {*found, *targets} - {target}
        names = chain((name, f"{name}_target"), (f"{name}_{number}" for number in count(2)))
        found.append(next(each for each in names if _is_name(each) and each not in others))
    return found


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def counted_in(kind: TargetColumns, source: TargetSource) -> Counter[str]:
    """How many of these samples have each class or label, the most frequent first; none of values.

    Raises:
        FaultError: there is only one class, or a target is missing.
    """
    known = kind.learned(source)
    names = known.described("").class_names
    if not names:
        return Counter()
    encoded = known.encode(source)
    sums = encoded.bincount(minlength=len(names)) if encoded.ndim == 1 else encoded.sum(dim=0)
    counts = Counter(dict(zip(names, sums.int().tolist(), strict=True)))
    return Counter(dict(counts.most_common()))


def with_rare_names(
    kinds: Mapping[str, TargetColumns], source: TargetSource
) -> dict[str, TargetColumns]:
    """These targets with the names of all classes and labels, where some are rare.

    They might be in other splits than that for training, where names are found. The first target
    needs none, as splits are stratified by it.

    Raises:
        FaultError: a sample has no target, or one of another kind.
    """
    first, *others = kinds
    found = {first: kinds[first]}
    for name in others:
        kind = kinds[name]
        kind.check(source)
        counts = counted_in(kind, source)
        is_rare = "classes" in type(kind).model_fields and min(counts.values(), default=RARE) < RARE
        update = {"classes": sorted(counts)} if is_rare else {}
        found[name] = kind.model_copy(update=update)
    return found


def heads_of(
    kinds: Mapping[str, TargetColumns], source: TargetSource, *, samples: int
) -> dict[str, Lesson]:
    """What the head of each target learns from so many samples; none for one target."""
    if len(kinds) == 1:
        return {}
    heads = dict[str, Lesson]()
    for name, kind in kinds.items():
        outputs = kind.learned(source).described(name).outputs
        counts = counted_in(kind, source) if kind.task == "classification" else Counter[str]()
        heads[name] = Lesson(samples, kind.task, outputs, counts)
    return heads


def layer_settings(
    lesson: Lesson, layers: Sequence[Any], reason: str, *, of: str
) -> Iterator[Setting]:
    """Layers and losses; heads take the place of the last layer.

    of: what samples are called, in the plural.
    """
    if not lesson.heads:
        yield Setting("model.layers", [*layers], reason)
        yield loss_of(lesson.task, lesson.imbalance, of=of)
        return
    yield Setting("model.layers", [*layers[:-1]] or ["flatten"], reason)
    yield heads_setting(lesson, of=of)


def heads_setting(lesson: Lesson, *, of: str) -> Setting:
    """A linear head for each target, with its loss."""
    losses = dict[str, Setting]()
    for name, each in lesson.heads.items():
        losses[name] = _loss(each, is_main=not losses, of=of)
    names = defaultdict[str, list[str]](list)
    for name, loss in losses.items():
        names[loss.reason].append(name)
    reasons = [f"{', '.join(own)}: {reason}" for reason, own in names.items()]
    heads = {name: _head(loss.value) for name, loss in losses.items()}
    return Setting("model.heads", heads, "; ".join(reasons))


def has_weights(counts: Mapping[str, int], *, is_main: bool) -> bool:
    """Whether the loss of classes is weighted: if some are rare, training may not find each.

    is_main: whether splits are stratified by these classes.
    """
    is_known = is_main or min(counts.values(), default=0) >= RARE
    return imbalance_of(counts) > IMBALANCED and is_known


def _loss(lesson: Lesson, *, is_main: bool, of: str) -> Setting:
    if lesson.imbalance > IMBALANCED and not has_weights(lesson.counts, is_main=is_main):
        rarest = min(lesson.counts, key=lesson.counts.__getitem__)
        return Setting("loss", "cross_entropy", f"not weighted, as training may lack {rarest}")
    return loss_of(lesson.task, lesson.imbalance, of=of)


def _head(loss: Any) -> dict[str, Any]:
    own = {} if loss == "cross_entropy" else {"loss": loss}  # which is the default
    return {"layers": [{"linear": "classes"}], **own}
