"""Advice on valid but unwise settings of an experiment; `cnnctl check` prints it.

A new check is a class in the file of its subject, and its entry in CHECKS.
"""

from __future__ import annotations

from dataclasses import replace

from cnnctl.advice.check import Check
from cnnctl.advice.depth import BlockedGradients, DeepWithoutHelp, GrowingSums, VanishingGradients
from cnnctl.advice.facts import Facts
from cnnctl.advice.field import SmallField
from cnnctl.advice.layers import (
    ActivationTwice,
    BiasBeforeNorm,
    DenseOnLargeImage,
    DropoutBeforeNorm,
    HeavyDropout,
    NoActivationBetween,
    SoftmaxBetween,
    StrideBeyondKernel,
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
    ManyQuestions,
    NoLogSoftmaxBeforeNLL,
    NoSigmoidBeforeBCE,
    RectifiedOutput,
)
from cnnctl.advice.regularization import DrowningPenalty, EndlessPatience, NothingAgainstOverfitting
from cnnctl.advice.samples import BalancedTwice, FlippedCharacters, TurnedCharacters
from cnnctl.advice.schedules import EarlyEnd, IdleSchedule, NoUsefulRate
from cnnctl.advice.weights import EqualWeights, LargeWeights, UnfitWeights
from cnnctl.config.source import locate
from cnnctl.errors import Fault
from cnnctl.experiment import Experiment, Loaded
from cnnctl.model import zoo
from cnnctl.model.network import NetworkPlan

CHECKS: tuple[Check, ...] = (
    ActivationDoneByTheLoss(),
    NoLogSoftmaxBeforeNLL(),
    NoSigmoidBeforeBCE(),
    LabelsThatExcludeEachOther(),
    ManyQuestions(),
    RectifiedOutput(),
    BoundedOutput(),
    DropoutAtOutput(),
    UnfitWeights(),
    EqualWeights(),
    LargeWeights(),
    BiasBeforeNorm(),
    DropoutBeforeNorm(),
    NoActivationBetween(),
    ActivationTwice(),
    SoftmaxBetween(),
    HeavyDropout(),
    StrideBeyondKernel(),
    DenseOnLargeImage(),
    SmallField(),
    VanishingGradients(),
    DeepWithoutHelp(),
    GrowingSums(),
    BlockedGradients(),
    NoUsefulRate(),
    IdleSchedule(),
    EarlyEnd(),
    UnusualRate(),
    RescaledL2(),
    BatchesOfAFullBatchMethod(),
    FewSteps(),
    NoisyStatistics(),
    EndlessPatience(),
    DrowningPenalty(),
    NothingAgainstOverfitting(),
    BalancedTwice(),
    FlippedCharacters(),
    TurnedCharacters(),
)
"""All checks, in the order in which their advice is given."""


def advise(experiment: Experiment, plan: NetworkPlan) -> list[Fault]:
    """All advice on an experiment, with paths in the experiment."""
    facts = Facts(experiment, plan)
    return [advice for check in CHECKS for advice in check.find(facts)]


def placed_advice(loaded: Loaded) -> list[Fault]:
    """The advice on an experiment, with its places in the file.

    Without that on layers of the zoo, which are published as they are.
    """
    every = advise(loaded.experiment, loaded.plan)
    placed = [(advice, locate(loaded.source, advice)) for advice in every]
    return [
        replace(advice, place=f"{place}: advice")
        for advice, place in placed
        if not zoo.is_written_there(place)
    ]
