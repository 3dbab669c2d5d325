"""Advice on learning rates over the run."""

from __future__ import annotations

from statistics import fmean

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault
from cnnctl.optim.schedulers.scheduler import Position

SAMPLED = 400
"""Positions of a run at which its rate is taken."""
SHORT_WAY = 2.5
"""The sum of the rates of all steps, divided by 1 - momentum. Digits, MLP 32, ten epochs: 19 % with
0.2, 65 with 1, 80 with 2, 90 with 6, 93 with 21; MNIST, two epochs: 86 with 1.7, 93 with 17."""
GOOD_RATE = 0.05
"""A rate at which a run that hardly moves is rather too short."""
DEAD, DEAD_SHARE = 1e-3, 0.25
"""The part of its highest value at which a rate is as good as 0, and the share of the run that is
lost to it. Digits, MLP 32, 50 epochs of SGD at 0.1: 97.8 %
constant, 87.8 if it halves every epoch, 78.6 if it falls to a tenth."""


def _rates(facts: Facts) -> list[float]:
    """The learning rate at positions spread evenly over the run."""
    experiment, steps = facts.experiment, facts.steps
    count = min(SAMPLED, steps)
    positions = (
        Position(at * steps // count, facts.steps_per_epoch, experiment.train.epochs)
        for at in range(count)
    )
    lr = experiment.optimizer.lr
    return [experiment.scheduler.learning_rate(position, lr=lr) for position in positions]


class NoUsefulRate(Check):
    """Plain gradient descent that hardly moves: a default rate, or one that is too low for so few
    steps."""

    def find(self, facts: Facts) -> Advice:
        experiment, optimizer = facts.experiment, facts.experiment.optimizer
        if not optimizer.follows_gradients or experiment.model.weights is not None:
            return
        if optimizer.lr < optimizer.usual_lr[0]:
            return  # which is said of every optimizer
        momentum = getattr(optimizer, "momentum", 0.0)
        rates = [rate / (1 - momentum) for rate in _rates(facts)]
        if max(rates) >= GOOD_RATE or fmean(rates) * facts.steps >= SHORT_WAY:
            return
        is_given = "optimizer" in experiment.model_fields_set
        rate = f"{optimizer.kind} at {optimizer.lr:g}"
        what = rate if is_given else f"without an optimizer, {rate}"
        message = f"{what} for {facts.steps:,} steps hardly moves the weights: on digits, the "
        message += "default reached 19% in 10 epochs, and 0.1 reached 93%"
        hint = "use optimizer: {name: adam}, or a higher lr"
        yield Fault(message=message, hint=hint, path=("optimizer", "lr"))


class IdleSchedule(Check):
    """A schedule that never changes the rate in the epochs given."""

    def find(self, facts: Facts) -> Advice:
        scheduler, epochs = facts.experiment.scheduler, facts.experiment.train.epochs
        if not scheduler.varies:
            return
        rest = epochs - (scheduler.warmup.epochs if scheduler.warmup else 0)
        waits = scheduler.waits
        if waits is not None:
            is_idle, first = waits >= rest, f"changes the rate after {waits} epochs at the earliest"
        else:
            rates = _rates(facts)[len(_rates(facts)) * (epochs - rest) // epochs :]
            is_idle, first = max(rates) == min(rates), "leaves the rate as it is"
        if is_idle:
            message = f"{scheduler.kind} {first}, so that it never acts in {epochs} epochs"
            hint = "give it shorter periods, train longer, or leave it out"
            yield Fault(message=message, hint=hint, path=("scheduler",))


class EarlyEnd(Check):
    """A schedule that brings the rate to 0 long before the run ends."""

    def find(self, facts: Facts) -> Advice:
        rates, epochs = _rates(facts), facts.experiment.train.epochs
        least = DEAD * max(rates)
        alive = max(at for at, rate in enumerate(rates) if rate >= least) + 1
        lost = 1 - alive / len(rates)
        if lost >= DEAD_SHARE and epochs > 1:
            last = max(1, round(alive / len(rates) * epochs))
            scheduler = facts.experiment.scheduler.kind
            message = f"{scheduler} takes the rate below {DEAD:g} of its highest after "
            message += (
                f"{last} of {epochs} epochs, and nothing is learned in the others: on digits, "
            )
            message += "halving it every epoch for 50 cost 10% of accuracy"
            hint = f"use a slower decay, or train.epochs={last}"
            yield Fault(message=message, hint=hint, path=("scheduler",))
