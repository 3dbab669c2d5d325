"""A source beside its network: run both, and compare all that they give."""

from __future__ import annotations

import ast
import subprocess
import sys

import torch
from torch import Tensor, nn

from cnnctl.export.source import network_source
from cnnctl.model.network import NetworkPlan, build

RULES = "E,F,I,UP,B,SIM,C4,RET"
PACKAGES = {"collections", "collections.abc", "torch", "torch.nn.functional"}
TORCHVISION = {"torchvision", "torchvision.ops"}


def source(plan: NetworkPlan) -> str:
    """The source of a network, whose last layer has an output for each class."""
    return network_source(plan, name="Network", classes=plan.output[0])


def made(text: str) -> nn.Module:
    """The network that a source defines."""
    names: dict[str, type[nn.Module]] = {}
    exec(compile(text, "network.py", "exec"), names)
    return names["Network"]()


def outputs(network: nn.Module, inputs: Tensor, *, training: bool) -> Tensor:
    """The outputs of a network, in one tensor, with the same random numbers each time."""
    torch.manual_seed(0)
    with torch.no_grad():
        given = network.train(training)(inputs)
    if isinstance(given, Tensor):
        return given
    return torch.cat(list(given.values() if isinstance(given, dict) else given), dim=1)


def assert_same(plan: NetworkPlan, text: str) -> None:
    """Check names, shapes, and outputs to the last bit, in evaluation and in training."""
    original, twin = build(plan, seed=0), made(text)
    ours, theirs = (
        [(name, tensor.shape) for name, tensor in each.state_dict().items()]
        for each in (original, twin)
    )
    assert ours == theirs
    twin.load_state_dict(original.state_dict(), strict=True)
    inputs = torch.randn(2, *plan.input, generator=torch.Generator().manual_seed(0))
    for training in (True, False):
        expected = outputs(original, inputs, training=training)
        assert torch.equal(outputs(twin, inputs, training=training), expected)


def assert_plain(text: str) -> None:
    """Check that only PyTorch is imported, and that ruff has nothing to say."""
    nodes = list(ast.walk(ast.parse(text)))
    imports = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    imports |= {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    assert imports <= PACKAGES | TORCHVISION
    ruff("format", "--check", text=text)
    ruff("check", "--select", RULES, text=text)


def ruff(*arguments: str, text: str) -> None:
    """Run ruff with its own settings."""
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr
