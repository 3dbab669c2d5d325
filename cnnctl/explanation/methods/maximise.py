"""Activation maximisation: the input that a class or a channel answers to most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cnnctl.errors import config_fault
from cnnctl.explanation.explanation import Explanation, Fact, HeatMap, Panel
from cnnctl.explanation.galleries import in_rows
from cnnctl.explanation.layers import layer_named, tapped
from cnnctl.explanation.method import Method
from cnnctl.explanation.parts import columns
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject

MOST = 20
"""Classes or channels on a sheet, where none is chosen."""
ACROSS = 5
STEPS, RATE = 256, 0.05
"""Steps of Adam, and their length in standard deviations of the inputs."""
DECAY = 0.002
"""How much a step takes from each number, towards the mean."""
BLUR_EVERY, BLUR = 4, (0.06, 0.88, 0.06)
"""Steps after which neighbours are mixed, and their shares: high frequencies fade."""
SHIFT = 16
"""Pictures are shifted by up to this part of a side in each step, so that no pixel is exact."""
FARTHEST = 3.0
"""Numbers that are no pixels stay within so many standard deviations of the mean."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be made as large as possible."""

    numbers: Tensor
    """Of classes or channels, (K,)."""
    names: Sequence[str]
    what: str


class Maximise(Method):
    """Gradient ascent from the mean, with decay, blur and small shifts."""

    name = "maximise"
    reference = "Yosinski et al. 2015, https://arxiv.org/abs/1506.06579"
    options = frozenset({"target", "layer", "unit"})
    needs_samples = False

    def explain(self, request: Request) -> Explanation:
        aim = _aim(request)
        with torch.enable_grad():
            found = _ascended(request, aim)
        with torch.no_grad():
            begun, reached = (_scores(request, aim, each) for each in (found * 0, found))
            shares = request.shares_of(found)
        ndim = len(request.subject.shape)
        samples = request.subject.in_units(found).cpu()
        facts = list(_facts(request, aim, begun, reached, shares))
        panels = [_panel(*each, ndim) for each in zip(samples, found.cpu(), facts, strict=True)]
        across = 1 if ndim == 1 else ACROSS
        return Explanation(
            method=self.name,
            ndim=ndim,
            notes=[
                f"maximise: inputs that make {aim.what} as large as possible",
                f"{STEPS} steps from the training mean, with decay, blur and shifts",
                *(["in standard deviations of each input from its mean"] if ndim == 1 else []),
            ],
            rows=list(in_rows(panels, name="", across=across)),
            names=request.task.target.class_names,
            features=[*columns(request.subject)] if ndim == 1 else [],
            facts=facts,
            arrays={"input": samples, "start": begun.cpu(), "reached": reached.cpu()},
        )


def _aim(request: Request) -> Aim:
    """The classes, or the channels of a layer."""
    if request.layer is None:
        if request.unit is not None:
            message, hint = "--unit is a channel of a layer", "add --layer, or use --target"
            raise config_fault(message, hint=hint)
        every = range(request.task.target.outputs)[:MOST]
        numbers = list(every) if request.target is None else [request.target]
        return Aim(torch.tensor(numbers), [request.name_of(n) for n in numbers], "an output")
    if request.target is not None:
        raise config_fault("--target and --layer exclude each other", hint="omit one of them")
    channels = _channels(request.subject, request.layer)
    if request.unit is not None and request.unit >= channels:
        message = f"--unit: {request.layer} has no channel {request.unit}"
        raise config_fault(message, hint=f"its {channels} channels are counted from 0")
    numbers = list(range(channels)[:MOST]) if request.unit is None else [request.unit]
    names = [f"channel {number}" for number in numbers]
    return Aim(torch.tensor(numbers), names, f"the mean of a channel of {request.layer}")


def _channels(subject: Subject, layer: str) -> int:
    inputs = torch.zeros(1, *subject.shape, device=subject.trained.device)
    with torch.no_grad(), tapped(layer_named(subject, layer)) as noted:
        subject.trained.network(inputs)
    return noted[-1].shape[1]


def _scores(request: Request, aim: Aim, inputs: Tensor) -> Tensor:
    """What is to be made large, each for its own input, (K,)."""
    if request.layer is None:
        outputs = request.outputs(inputs)
    else:
        with tapped(layer_named(request.subject, request.layer)) as noted:
            request.network(inputs)
        outputs = noted[-1].float().flatten(2).mean(2) if noted[-1].ndim > 2 else noted[-1].float()
    return outputs.gather(1, aim.numbers.to(outputs.device)[:, None])[:, 0]


def _ascended(request: Request, aim: Aim) -> Tensor:
    """The inputs that were found, normalised, (K, …)."""
    subject, device = request.subject, request.subject.trained.device
    generator = Generator().manual_seed(SEED)
    noise = torch.randn(1, *subject.shape, generator=generator) * 0.01  # or symmetries would stay
    inputs = noise.repeat(len(aim.numbers), *[1] * len(subject.shape)).to(device).requires_grad_()
    optimizer = torch.optim.Adam([inputs], lr=RATE)
    for step in range(STEPS):
        loss = -_scores(request, aim, _shifted(inputs, generator)).sum()
        [inputs.grad] = torch.autograd.grad(loss, inputs)
        optimizer.step()
        with torch.no_grad():
            inputs.mul_(1 - DECAY)
            if step % BLUR_EVERY == 0 and step < STEPS - BLUR_EVERY:
                inputs.copy_(_blurred(inputs))
            inputs.copy_(_possible(subject, inputs))
    return inputs.detach()


def _shifted(inputs: Tensor, generator: Generator) -> Tensor:
    """Pictures and signals moved by a few places, what leaves at one end coming in at the other."""
    for dimension in range(2, inputs.ndim):
        most = inputs.shape[dimension] // SHIFT
        by = int(torch.randint(-most, most + 1, (), generator=generator))
        inputs = inputs.roll(by, dimension)
    return inputs


def _blurred(inputs: Tensor) -> Tensor:
    """Each place mixed with its neighbours along every side."""
    shares = torch.tensor(BLUR, device=inputs.device)
    for dimension in range(2, inputs.ndim):
        lines = inputs.movedim(dimension, -1)
        flat = lines.reshape(-1, 1, lines.shape[-1])
        mixed = functional.conv1d(functional.pad(flat, (1, 1), "replicate"), shares.view(1, 1, 3))
        inputs = mixed.reshape(lines.shape).movedim(-1, dimension)
    return inputs


def _possible(subject: Subject, inputs: Tensor) -> Tensor:
    """Pixels between black and white; other numbers not too far from the mean."""
    if subject.is_pictures:
        levels = subject.levels
        return torch.minimum(torch.maximum(inputs, levels.black), levels.white)
    return inputs.clamp(-FARTHEST, FARTHEST)


def _facts(
    request: Request, aim: Aim, begun: Tensor, reached: Tensor, shares: Tensor
) -> list[tuple[str, dict[str, Fact]]]:
    found = []
    for index, name in enumerate(aim.names):
        facts: dict[str, Fact] = {"start": float(begun[index]), "reached": float(reached[index])}
        if request.task.target.kind != "values":
            likeliest = int(shares[index].argmax())
            own = likeliest if request.layer else int(aim.numbers[index])
            facts |= {"predicted": request.name_of(likeliest), "share": float(shares[index, own])}
        found.append((name, facts))
    return found


def _panel(
    sample: Tensor, normalised: Tensor, named: tuple[str, dict[str, Fact]], ndim: int
) -> Panel:
    name, facts = named
    captions = (name, f"{facts['start']:.3g} to {facts['reached']:.3g}")
    if ndim == 1:
        return Panel(None, HeatMap.of(normalised, is_signed=True), captions)
    return Panel(sample, captions=captions)
