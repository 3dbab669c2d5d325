"""Small networks to explain."""

from __future__ import annotations

from pathlib import Path

import torch

from cnnctl.config.source import parse_source
from cnnctl.experiment import complete
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject, initial_subject

CNN = """\
seed: 1
data: {name: digits, size: [16, 16]}
model:
  layers:
    - conv: {out_channels: 4, kernel_size: 3, padding: 1}
    - relu
    - max_pool: 2
    - conv: {out_channels: 6, kernel_size: 3}
    - relu
    - max_pool: 2
    - flatten
    - linear: classes
train: {device: cpu}
"""
SIGNALS = """\
data: {name: waveform}
model:
  layers:
    - conv: {out_channels: 4, kernel_size: 5}
    - relu
    - flatten
    - linear: classes
train: {device: cpu}
"""
VECTORS = """\
data: {name: diabetes}
model: {layers: [{linear: 8}, tanh, {linear: 1}]}
loss: mse
train: {device: cpu}
"""


def subject_of(text: str, *overrides: str) -> Subject:
    """The network of an experiment, with its initial weights."""
    return initial_subject(complete(parse_source(text, Path("x.yaml")), "x", overrides))


def request_of(subject: Subject, *positions: int, target: int | None = None) -> Request:
    """A request for samples of the test split."""
    chosen = subject.chosen(positions, "test")
    return Request(subject, subject.tasks[0], chosen, target=target)


def plain_gradient(request: Request, number: int) -> torch.Tensor:
    """The gradient of an output by the first sample, in plain torch; (C, H, W)."""
    inputs = request.samples.inputs[:1].clone().requires_grad_()
    request.subject.trained.network(inputs)[0, number].backward()
    assert inputs.grad is not None
    return inputs.grad[0]
