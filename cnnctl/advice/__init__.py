"""Advice on valid but unwise settings of an experiment; `cnnctl check` prints it.

A new check is a class in the file of its subject, and its entry in CHECKS.
"""

from __future__ import annotations

from dataclasses import replace

from cnnctl.advice.check import Check
from cnnctl.advice.depth import VanishingGradients
from cnnctl.advice.facts import Facts
from cnnctl.advice.layers import (
    ActivationTwice,
    BiasBeforeNorm,
    DropoutBeforeNorm,
    NoActivationBetween,
)
from cnnctl.advice.optimization import (
    BatchesOfAFullBatchMethod,
    FewSteps,
    NoisyStatistics,
    RescaledL2,
    UnusualRate,
)
from cnnctl.advice.outputs import (
    ActivationDoneByTheLoss,
    BoundedOutput,
    DropoutAtOutput,
    LabelsThatExcludeEachOther,
    NoLogSoftmaxBeforeNLL,
    NoSigmoidBeforeBCE,
    RectifiedOutput,
)
from cnnctl.advice.regularization import EndlessPatience
from cnnctl.advice.samples import BalancedTwice, FlippedCharacters
from cnnctl.advice.weights import UnfitWeights
from cnnctl.config.source import locate
from cnnctl.errors import Fault
from cnnctl.experiment import Experiment, Loaded
from cnnctl.model.network import NetworkPlan

CHECKS: tuple[Check, ...] = (
    ActivationDoneByTheLoss(),
    NoLogSoftmaxBeforeNLL(),
    NoSigmoidBeforeBCE(),
    LabelsThatExcludeEachOther(),
    RectifiedOutput(),
    BoundedOutput(),
    DropoutAtOutput(),
    UnfitWeights(),
    BiasBeforeNorm(),
    DropoutBeforeNorm(),
    NoActivationBetween(),
    ActivationTwice(),
    VanishingGradients(),
    UnusualRate(),
    RescaledL2(),
    BatchesOfAFullBatchMethod(),
    FewSteps(),
    NoisyStatistics(),
    EndlessPatience(),
    BalancedTwice(),
    FlippedCharacters(),
)
"""All checks, in the order in which their advice is given."""


def placed_advice(loaded: Loaded) -> list[Fault]:
    """All advice on an experiment, with its places in the file."""
    return [
        replace(advice, place=f"{locate(loaded.source, advice)}: advice")
        for advice in advise(loaded.experiment, loaded.plan)
    ]


def advise(experiment: Experiment, plan: NetworkPlan) -> list[Fault]:
    """All advice on an experiment, with paths in the experiment."""
    facts = Facts(experiment, plan)
    return [advice for check in CHECKS for advice in check.find(facts)]
