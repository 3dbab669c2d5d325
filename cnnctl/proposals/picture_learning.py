"""The settings that learn from pictures, whatever they are stored in: from batches to epochs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from cnnctl.model.weights import is_cached
from cnnctl.proposals.budget import ENOUGH_FROZEN, PRETRAINED, SMALL, Plan, plan, pretrained_plan
from cnnctl.proposals.document import Setting
from cnnctl.proposals.heads import heads_setting
from cnnctl.proposals.lesson import Lesson
from cnnctl.proposals.machine import Machine, this_machine
from cnnctl.proposals.settings import balanced_monitor, loss_of

FEW_PER_CLASS = 500
"""Pictures of a class below which augmentation is strong, and learned features are better than
those that can be learned from the pictures."""
FEW = 5000
"""The same, of all pictures together, where they have no classes."""
MOST_BATCH, LEAST_BATCH = 128, 8
STEPS = 16
"""Steps that an epoch should have at least."""
MANY_EPOCHS = 30
"""Epochs from which pictures are shifted by an eighth of their side, not half of that: in 15
epochs on CIFAR-10, ResNet-9 reached 85.9 % with shifts of 2 pixels, 85.2 % with 4."""
LR_PER_SAMPLE = 0.2 / 128
"""The peak rate grows with the batch (Goyal et al. 2017)."""
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
"""What torchvision's weights were trained with."""
SIDED = {"left", "right", "east", "west"}
SPELLED = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
PREFIXES = {"digit", "number", "letter", "char", "character"}


@dataclass(frozen=True, slots=True)
class PictureLesson:
    """What is to be learned from pictures."""

    lesson: Lesson
    size: tuple[int, int]
    """Height and width that fit the pictures."""
    channels: int
    is_resized: bool = True
    """Whether the source brings pictures to any size, and grey ones to colour."""
    are_pixels: bool = True
    """Whether numbers are levels of grey or colours, which augmentation may change."""

    @property
    def is_small(self) -> bool:
        """Whether there are few pictures."""
        if self.lesson.task != "classification":
            return self.lesson.samples < FEW
        return self.lesson.samples < FEW_PER_CLASS * self.lesson.outputs


def plan_for(lesson: PictureLesson, *, pretrained: bool | None) -> Plan:
    """The network for these pictures, the size that they are brought to, and the epochs.

    Few pictures get a network of torchvision whose weights are in torch's cache, if there is one.

    pretrained: whether to start from such weights, which training may then download; None for the
        rule above.
    """
    machine, needs = (
        this_machine(),
        {"outputs": lesson.lesson.outputs, "samples": lesson.lesson.samples},
    )
    if name := _pretrained_name(lesson, machine, pretrained=pretrained):
        return pretrained_plan(name, **needs, machine=machine)
    return plan(lesson.size, lesson.channels, **needs, machine=machine)


def _pretrained_name(
    lesson: PictureLesson, machine: Machine, *, pretrained: bool | None
) -> str | None:
    """The torchvision network to start from: the best that there is time for, or the fastest."""
    if pretrained is False or not lesson.is_resized or (pretrained is None and not lesson.is_small):
        return None
    needs = {"outputs": lesson.lesson.outputs, "samples": lesson.lesson.samples}
    there = [name for name in PRETRAINED if pretrained or is_cached(name)]
    for name in there:
        if pretrained_plan(name, **needs, machine=machine).epochs >= ENOUGH_FROZEN:
            return name
    return there[-1] if there else None


def advises_pretrained(lesson: PictureLesson, chosen: Plan) -> bool:
    """Whether weights that could be downloaded would be better."""
    return lesson.is_resized and lesson.is_small and not chosen.is_pretrained


def data_settings(lesson: PictureLesson, chosen: Plan, *, may_shrink: bool) -> Iterator[Setting]:
    """Batches, normalisation and augmentation.

    may_shrink: whether pictures may be left out later, so that batches cannot be counted.
    """
    size, samples = batch_size(lesson.lesson.samples), lesson.lesson.samples
    drops_last, steps = False, 1
    if not isinstance(size, str):
        drops_last = not chosen.is_pretrained and (may_shrink or samples % size == 1)
        steps = samples // size if drops_last else ceil(samples / size)
    reason = f"{samples:,} training pictures, {steps:,} steps per epoch"
    yield Setting("data.batch_size", size, reason)
    if drops_last:
        yield Setting("data.drop_last", True, "batch norm cannot train on a last batch of one")
    if chosen.is_pretrained:
        yield Setting("data.normalize", IMAGENET, "statistics the weights were trained with")
    yield _augment(lesson, chosen)


def batch_size(samples: int) -> int | str:
    """A power of two that makes an epoch enough steps, or all samples."""
    if samples < 4 * LEAST_BATCH:
        return "all"
    return max(LEAST_BATCH, min(MOST_BATCH, 1 << int(log2(samples / STEPS))))


def shows_sides(classes: Collection[str]) -> str:
    """A class that mirroring may turn into another one; empty if there is none.

    Letters and digits, if half of the names are such, and names with left or right.
    """
    for name in classes:
        if SIDED & set(re.split(r"[\W_\d]+", name.lower())):
            return name
    characters = [name for name in classes if _is_character(name)]
    return characters[0] if characters and 2 * len(characters) >= len(classes) else ""


def _is_character(name: str) -> bool:
    *before, word = re.split(r"[\W_]+", name.lower())
    if set(before) - PREFIXES:
        return False
    is_sign = len(word) == 1 and unicodedata.category(word) in ("Ll", "Lu", "Nd")
    return is_sign or word in SPELLED


def _augment(lesson: PictureLesson, chosen: Plan) -> Setting:
    if sided := next(filter(None, map(shows_sides, lesson.lesson.all_counts)), ""):
        shift: Any = {"affine": {"degrees": 10, "translate": [0.1, 0.1], "scale": [0.9, 1.1]}}
        reason = f"no mirroring: a mirrored {sided} may mean something else"
        return Setting("data.augment", [shift], reason)
    augment: list[Any] = ["horizontal_flip"]
    if max(chosen.size) <= SMALL:
        share = 16 if chosen.epochs < MANY_EPOCHS else 8
        augment.append({"crop": max(1, min(chosen.size) // share)})
    else:
        augment.append({"random_resized_crop": [0.35, 1.0]})
    reason = "omit the flip if left and right matter"
    if lesson.is_small and lesson.are_pixels and not chosen.is_pretrained:
        augment.append("trivial_augment_wide")
        is_class = lesson.lesson.task == "classification"
        few = f"{FEW_PER_CLASS:,} pictures per class" if is_class else f"{FEW:,} pictures"
        reason = f"strong, for fewer than {few}; {reason}"
    return Setting("data.augment", augment, reason)


def learning_settings(lesson: PictureLesson, chosen: Plan) -> Iterator[Setting]:
    """Network, loss, optimizer and epochs."""
    cost = f"{chosen.multiply_adds / 1e6:,.1f} million multiply-adds per picture"
    if chosen.is_pretrained:
        cost = f"with so few pictures, ImageNet features work better; {cost}"
    elif advises_pretrained(lesson, chosen):
        cost = f"{cost}; `init --pretrained` starts from ImageNet weights"
    yield from _network(lesson.lesson, chosen, cost)
    if chosen.is_pretrained:
        yield from _adamw("peak rate, for the new classifier only")
    elif lesson.lesson.has_values:
        yield from _adamw(
            "peak rate; unlike with sgd, large errors of values do not make steps too long"
        )
    else:
        yield from _optimization(lesson.lesson.samples)
    if lesson.lesson.all_counts:
        yield Setting("regularization.label_smoothing", 0.1, "against overconfidence")
    minutes = f"about {max(1, round(chosen.minutes)):,} min on {chosen.machine.name}"
    yield Setting("train.epochs", chosen.epochs, minutes)
    yield from balanced_monitor(lesson.lesson.imbalance)


def _network(lesson: Lesson, chosen: Plan, reason: str) -> Iterator[Setting]:
    """The network and its loss, or the heads that replace its classifier."""
    if not lesson.heads:
        yield Setting("model", chosen.model, reason)
        yield loss_of(lesson.task, lesson.imbalance, of="pictures")
        return
    for at, (option, value) in enumerate(chosen.model.items()):
        yield Setting(f"model.{option}", value, "" if at else reason)
    yield heads_setting(lesson, of="pictures")


def _optimization(samples: int) -> Iterator[Setting]:
    size = batch_size(samples)
    rate = LR_PER_SAMPLE * (samples if isinstance(size, str) else size)
    yield Setting("optimizer.name", "sgd", "usual for residual networks")
    yield Setting("optimizer.lr", round(rate, 4), "peak rate, in proportion to the batch size")
    yield Setting("optimizer.momentum", 0.9, "one_cycle varies it from 0.95 to 0.85 and back")
    yield Setting("optimizer.nesterov", True, "helps a little, costs nothing")
    yield Setting("scheduler", "one_cycle", "converges in few epochs")
    yield Setting("regularization.l2", 0.0005, "usual for residual networks")


def _adamw(why_rate: str) -> Iterator[Setting]:
    yield Setting("optimizer.name", "adamw", "needs little tuning")
    yield Setting("optimizer.lr", 0.002, why_rate)
    yield Setting("optimizer.weight_decay", 0.01, "PyTorch's default, against overfitting")
    yield Setting("scheduler", "one_cycle", "converges in few epochs")
