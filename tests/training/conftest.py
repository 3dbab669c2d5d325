"""An experiment with everything switched on, runs within this process, and how runs compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl.checkpoint import Checkpoint, load
from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.experiment import Experiment, complete, tasks_of
from cnnctl.model import network
from cnnctl.model.layer import Shape
from cnnctl.training.assembly import assemble
from cnnctl.training.run import Run
from cnnctl.training.settings import resolve_auto
from cnnctl.training.setup import Setup, set_up

EVERYTHING = """\
# augmentation, mixing, dropout, batch norm, averages, warm-up, accumulation, early stopping, kappa
seed: 3
data:
  name: digits
  size: 16
  batch_size: 32
  augment: [{crop: {padding: 1}}, {noise: 0.1}, {mixup: {alpha: 0.2}}]
model:
  layers:
    - conv: {out_channels: 8, kernel_size: 3, padding: 1, bias: false}
    - batch_norm
    - relu
    - max_pool: 2
    - dropout: 0.2
    - conv: {out_channels: 16, kernel_size: 3}
    - relu
    - flatten
    - linear: classes
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
scheduler: {name: cosine, warmup: 1}
regularization: {ema: 0.95, early_stopping: 3, clip_norm: 1.0, l2: 0.0001}
train: {epochs: 6, accumulate: 2, checkpoint_every: 2, monitor: kappa}
"""


CPU = {"device": "cpu", "precision": "fp32", "compile": False}


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """An experiment whose state has every part there is."""
    path = tmp_path / "everything.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    return path


@pytest.fixture
def broken_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose C++ compiler works at nothing, as with `CXX=/bin/false`."""
    from torch._inductor import config  # slow to import

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    with config.patch({"cpp.cxx": ("/bin/false",)}):
        yield
    torch._dynamo.reset()


def last(run: Path) -> Checkpoint:
    """The checkpoint that a run is resumed from."""
    return load(run / "checkpoints" / "last.safetensors")


def best(run: Path) -> Checkpoint:
    """The best checkpoint of a run."""
    return load(run / "checkpoints" / "best.safetensors")


def assert_same_state(one: Checkpoint, other: Checkpoint) -> None:
    """Both hold the same tensors, bit for bit, and the same counters."""
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name
    assert one.document == other.document


def experiment_of(plain: dict[str, Any]) -> Experiment:
    """An experiment from plain data, computing in float32 on the CPU where nothing else is said."""
    train = {**CPU, **plain.get("train", {})}
    return validate(Experiment, from_plain({**plain, "train": train}, Place("test")))


def setup_of(plain: dict[str, Any]) -> Setup:
    """The setup of such an experiment; it sets up this process, too (see `as_before`)."""
    train = {**CPU, **plain.get("train", {})}
    loaded = complete(from_plain({**plain, "train": train}, Place("test")), "test")
    return set_up(loaded, data_root=Path())


@pytest.fixture
def as_before() -> Iterator[None]:
    """A training sets up its process, which here is that of all tests."""
    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn
    flags = (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32)
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(matmul)
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = flags


def run_of(plain: dict[str, Any], *, input: Shape = (2,), classes: int = 2) -> Run:
    """A run of this experiment at its beginning, for samples of this shape."""
    experiment = experiment_of(plain)
    description = experiment.data.describe()
    targets = {target.name: target.outputs for target in description.targets}
    plan = network.plan(experiment.model, input=input, classes=classes, targets=targets)
    return assemble(
        resolve_auto(experiment, plan, description),
        plan=plan,
        tasks=tasks_of(experiment, plan, description),
        device=torch.device("cpu"),
        steps_per_epoch=10,
    )
