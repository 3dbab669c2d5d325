"""The strengths of a disturbance, as written on the command line: `shift=0..4`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from cnnctl.config.wording import exact, show
from cnnctl.data.samples import Shape
from cnnctl.disturbance.disturbance import Disturbance
from cnnctl.disturbance.kinds import DISTURBANCES
from cnnctl.disturbance.units import Form
from cnnctl.errors import FaultError, config_fault, nearest

STEPS = 5
"""Steps of a range without a number of them."""
MOST_WHOLE = 8
"""Steps up to which a range of whole numbers has all of them."""
MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Sweep:
    """A disturbance, and the strengths to measure."""

    disturbance: Disturbance
    strengths: tuple[float, ...]
    """Ascending; the first is 0."""

    def check(self, shape: Shape, form: Form) -> None:
        """Raise a FaultError unless it fits samples of this shape and form."""
        own = self.disturbance
        if form not in own.units:
            fitting = [kind for kind, each in DISTURBANCES.items() if form in each.units]
            what = "images that are not pixels" if form == "maps" else form
            message = f"{own.kind} does not fit {what}"
            raise config_fault(message, hint=f"use {', '.join(fitting)}")
        largest = own.largest(shape, form)
        if self.strengths[-1] > largest:
            message = f"{own.kind}={exact(self.strengths[-1])} is too strong"
            hint = f"use strengths up to {exact(largest)} ({own.units[form]})"
            raise config_fault(message, hint=hint)


def parse_sweeps(words: Sequence[str], *, attack_steps: int | None = None) -> list[Sweep]:
    """The disturbances of words such as `shift=0..4`, `noise=0..0.3/6` or `fgsm=0.05,0.1`.

    Raises:
        FaultError: a name is unknown or given twice; strengths are no ascending numbers from 0 on;
            or there are steps of an attack, but no attack that has them.
    """
    sweeps: list[Sweep] = []
    for word in words:
        kind, _, text = word.partition("=")
        if kind not in DISTURBANCES:
            message = f"no disturbance is named {show(kind)}"
            raise config_fault(message, hint=nearest(kind, sorted(DISTURBANCES)))
        if any(sweep.disturbance.kind == kind for sweep in sweeps):
            hint = f"list all strengths at once, such as {kind}=0,1,2"
            raise config_fault(f"{kind} is given twice", hint=hint)
        sweeps.append(Sweep(DISTURBANCES[kind], _strengths(DISTURBANCES[kind], text)))
    if attack_steps is None:
        return sweeps
    stepping = [replaced(sweep, attack_steps) for sweep in sweeps]
    if stepping == sweeps:
        raise config_fault("--attack-steps is for pgd", hint="add pgd=0..0.1, or leave it out")
    return stepping


def replaced(sweep: Sweep, steps: int) -> Sweep:
    """The same with so many steps of the attack, where it has any."""
    return Sweep(sweep.disturbance.with_steps(steps), sweep.strengths)


def _strengths(disturbance: Disturbance, text: str) -> tuple[float, ...]:
    """The strengths of `a..b`, `a..b/steps` or `a,b,c`, after 0."""
    if ".." in text:
        strengths = _range(disturbance, text)
    else:
        strengths = [_number(disturbance, word) for word in text.split(",")]
    if len(strengths) > MOST_STEPS + 1:
        message = f"{disturbance.kind}: more than {MOST_STEPS} strengths"
        raise config_fault(message, hint="write fewer steps")
    if disturbance.is_whole and any(not each.is_integer() for each in strengths):
        raise config_fault(
            f"{disturbance.kind}={text} has fractions", hint="use whole numbers of pixels"
        )
    return tuple(sorted({0.0, *strengths}))


def _range(disturbance: Disturbance, text: str) -> list[float]:
    bounds, has_steps, count = text.partition("/")
    low, high = (_number(disturbance, word, text) for word in bounds.split("..", 1))
    if low > high:
        message = f"{disturbance.kind}={text} ends below its start"
        raise config_fault(message, hint=f"write {disturbance.kind}={exact(high)}..{exact(low)}")
    is_whole = (high - low).is_integer() and disturbance.prefers_whole
    steps = STEPS
    if has_steps:
        steps = _steps(disturbance, count, text)
    elif is_whole and high - low <= MOST_WHOLE:
        steps = max(1, round(high - low))
    strengths = [low + (high - low) * step / steps for step in range(steps + 1)]
    # 0.3 * 3 / 5 has a rounding error in its last digit
    return [float(round(each) if disturbance.is_whole else f"{each:.12g}") for each in strengths]


def _steps(disturbance: Disturbance, count: str, text: str) -> int:
    if not count.isdecimal() or not 1 <= int(count[:9]) <= MOST_STEPS:
        message = f"{disturbance.kind}={text}: {_plain(count)} is no number of steps"
        raise config_fault(
            message, hint=f"write 1 to {MOST_STEPS}, such as {disturbance.kind}=0..4/8"
        )
    return int(count)


def _number(disturbance: Disturbance, word: str, text: str = "") -> float:
    try:
        number = float(word)
    except ValueError:
        raise _no_strength(disturbance, word, text) from None
    if not -inf < number < inf:
        raise _no_strength(disturbance, word, text)
    if number < 0:
        message = f"{disturbance.kind}: the strength {exact(number)} is negative"
        hint = "begin at 0; where there are two directions, both are drawn"
        raise config_fault(message, hint=hint)
    return number


def _no_strength(disturbance: Disturbance, word: str, text: str) -> FaultError:
    kind = disturbance.kind
    message = f"{kind}={text or word}: {_plain(word)} is no strength"
    if not word:
        message = f"{kind} has no strengths" if not text else f"{kind}={text} lacks a strength"
    return config_fault(message, hint=f"write {kind}=0..1, {kind}=0..1/4 or {kind}=0,0.5,1")


def _plain(word: str) -> str:
    """A word for a message, shortened; numbers without quotes, as they were typed."""
    return show(word).strip("'")
