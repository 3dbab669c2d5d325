"""When going on with a training is pointless."""

from __future__ import annotations

from cnnctl.diagnosis.facts import Yardstick
from cnnctl.diagnosis.history import History
from cnnctl.metrics.wording import show_loss

EPOCHS, STEPS = 3, 300
"""Epochs and steps after which a network has begun to learn: of 40 trainings that went well, the
slowest were 5 % below the loss of a constant answer after 126 steps."""
NOTHING = 0.98
"""Share of the loss of a constant answer above which nothing is learned."""
FALL = 0.005
"""Share of it by which the loss falls in the last EPOCHS and a third of STEPS, if it falls."""
FAR = 2.0
"""Times the loss of a constant answer that only a diverging training has."""


def why_hopeless(history: History, yardstick: Yardstick, *, rate: float) -> str:
    """Why it is pointless to go on; empty if it is not.

    rate: that of the optimizer, which a warm-up has to have reached.
    """
    losses, recent = history.losses("train"), _recent(history)
    if not losses or not recent or yardstick.constant <= yardstick.least:
        return ""
    levels = [yardstick.level(loss) for loss in losses]
    last, before = levels[-recent:], levels[-recent - 1]
    figure = f"training loss {show_loss(losses[-1])}, of a constant answer "
    figure += show_loss(yardstick.constant)
    after = f"after {len(history)} epochs and {history.steps:,} steps"
    if min(last) > FAR and levels[-1] > levels[0] and last == sorted(last):
        return f"the training diverges {after}: {figure}"
    is_warm = max(float(row.get("lr", 0)) for row in history.rows) >= rate / 2
    if is_warm and min(levels) > NOTHING and before - min(last) < FALL:
        return f"nothing is learned {after}: {figure}"
    return ""


def _recent(history: History) -> int:
    """The last epochs that are judged; 0 if it is too early."""
    if len(history) <= EPOCHS or history.steps < STEPS:
        return 0
    per_epoch = max(1, history.steps // len(history))
    return max(EPOCHS, min(len(history) - 1, STEPS // 3 // per_epoch))
