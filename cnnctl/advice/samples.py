"""Advice on the samples that a network learns from."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault


class BalancedTwice(Check):
    """Rare classes that are repeated and weighted."""

    def find(self, facts: Facts) -> Advice:
        first = facts.description.targets[0]
        is_weighted = any(task.loss.is_weighted for task in facts.tasks if task.target == first)
        if facts.experiment.data.sampler == "balanced" and is_weighted:
            message = "balanced sampling and class weights both compensate for rare classes"
            yield Fault(message=message, hint="use one of them", path=("data", "sampler"))


class FlippedCharacters(Check):
    """Mirrored digits and letters."""

    def find(self, facts: Facts) -> Advice:
        data = facts.experiment.data
        for index, augmentation in enumerate(data.augment):
            if data.shows_characters and augmentation.mirrors:
                message = (
                    "flipping turns digits and letters into different or meaningless characters"
                )
                path = ("data", "augment", index, augmentation.kind)
                yield Fault(message=message, hint="use crop or a small rotation", path=path)
