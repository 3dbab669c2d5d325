"""A distilled run: its loss, what it keeps, and how it resumes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor
from torch.nn import functional

from cnnctl.checkpoint import Checkpoint, load
from cnnctl.distillation.memory import Remembered
from cnnctl.errors import FaultError
from cnnctl.export.training_source.script import training_source
from cnnctl.training.setup import Setup
from cnnctl.training.state import capture_best, capture_last
from cnnctl.training.step import make_step
from cnnctl.training.training import Training
from tests.conftest import Cli, rows_of
from tests.distillation.conftest import experiment, setup, teacher, trained
from tests.training.conftest import assert_same_state

LAYERS = [
    {"hint": {"student": "tanh1", "teacher": "linear1", "weight": 0.3}},
]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> str:
    return teacher(tmp_path_factory.mktemp("teacher") / "teacher.safetensors")


def distilled(taught: str, **more: Any) -> dict[str, Any]:
    """A student that is narrower than its teacher."""
    layers = [{"linear": 2}, "tanh", {"linear": "classes"}]
    distill = {"teacher": taught, "temperature": 3, "weight": 0.6, "layers": LAYERS}
    return experiment(**{"model": {"layers": layers}, "distill": distill, "seed": 5, **more})


def gradients(setting: Setup, *, accumulate: int) -> tuple[dict[str, Tensor], float]:
    """The gradients of a step on two batches, and the loss of its tally."""
    run = setting.assemble()
    run.begin_epoch()
    batches = list(setting.batches.train.epoch(0))[:accumulate]
    total = make_step(run).for_epoch().differentiate(batches, run.tally)
    found = {name: weight.grad for name, weight in run.network.named_parameters()}
    return {name: grad for name, grad in found.items() if grad is not None}, float(total)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_minimises_the_documented_loss(taught: str, accumulate: int) -> None:
    plain = distilled(taught, loss={"name": "cross_entropy", "weight": [1.0, 2.0, 0.5]})
    plain["train"] |= {"accumulate": accumulate}
    setting = setup(plain)
    found, total = gradients(setting, accumulate=accumulate)

    run = setting.assemble()
    assert run.distilling is not None
    batches = list(setting.batches.train.epoch(0))[:accumulate]
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    teacher_network = run.distilling.teaching.asked[0].network
    with torch.no_grad():
        told = teacher_network(inputs)
        hint = teacher_network.get_submodule("linear1")(inputs)
    logits, hidden = (
        run.network(inputs),
        run.network.get_submodule("tanh1")(run.network.get_submodule("linear1")(inputs)),
    )
    q, p = (logits / 3).log_softmax(dim=1), (told / 3).softmax(dim=1)
    kl = (p * (p.log() - q)).sum() / len(inputs)
    usual = functional.cross_entropy(logits, targets, weight=torch.tensor([1.0, 2.0, 0.5]))
    regressed = run.distilling.regressors[0](hidden)
    layer = (regressed - hint).square().mean(dim=1).mean() / 2
    loss = 0.6 * 9 * kl + 0.4 * usual + 0.3 * layer
    loss.backward()

    assert total == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, weight in run.network.named_parameters():
        assert weight.grad is not None
        assert torch.allclose(found[name], weight.grad, atol=1e-6), name


def test_answers_that_are_remembered_have_the_bits_of_those_to_a_batch(taught: str) -> None:
    setting = setup(distilled(taught))
    batches, distilling = setting.batches.train, setting.assemble().distilling
    assert distilling is not None
    distilling.remember(batches)
    assert distilling.remembered is not None
    for (inputs, _), rows in zip(batches.epoch(1), batches.rows(1), strict=True):
        asked = distilling.answers(inputs, None)
        for one, other in zip(distilling.answers(inputs, rows), asked, strict=True):
            assert torch.equal(one, other)


def test_training_is_the_same_whether_answers_are_remembered(
    taught: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = capture_last(trained(distilled(taught)).run)
    monkeypatch.setattr("cnnctl.distillation.memory.MOST_BYTES", 100)
    training = trained(distilled(taught))
    assert training.run.distilling is not None
    assert training.run.distilling.remembered is None
    assert_same_state(one, capture_last(training.run))


def test_answers_to_augmented_samples_are_not_remembered(taught: str) -> None:
    plain = distilled(taught)
    plain["data"]["augment"] = [{"noise": 0.1}, {"mixup": {"alpha": 0.3}}]
    training = trained(plain)
    assert training.run.distilling is not None
    assert training.run.distilling.remembered is None
    assert Remembered.of(training.run.distilling.teaching, training.batches.train) is None


def resumed(plain: dict[str, Any], *, after: int) -> Checkpoint:
    """The state of a run that was stopped after some steps, and resumed from its checkpoint."""
    training = Training.of(setup(plain), stop=lambda: training.run.counters.step >= after)
    training.begin()
    training.fit()
    kept = capture_last(training.run)
    torch.manual_seed(99)
    torch.rand(7)
    again = Training.of(setup(plain))
    again.resume(kept)
    again.fit()
    return capture_last(again.run)


def test_a_run_that_is_stopped_resumes_to_the_same_bits(taught: str) -> None:
    plain = distilled(taught)
    plain["data"]["augment"] = [{"noise": 0.1}]
    plain["model"]["layers"].insert(2, {"dropout": 0.2})
    plain["regularization"] = {"ema": 0.9, "clip_norm": 1.0, "weight_decay": 0.01, "l2": 0.01}
    alone = capture_last(trained(plain).run)
    assert any(name.startswith("regressors.") for name in alone.tensors)
    for after in (2, 3):
        assert_same_state(resumed(plain, after=after), alone)


def test_the_network_that_is_kept_has_nothing_of_the_teacher(taught: str) -> None:
    run = trained(distilled(taught)).run
    names = capture_best(run).tensors.keys()
    assert names == {f"model.{name}" for name in run.network.state_dict()}


def test_layers_can_be_learned_alone(taught: str) -> None:
    distill = {"teacher": taught, "weight": 0, "layers": LAYERS}
    training = trained(distilled(taught, distill=distill))
    assert training.run.distilled().keys() == {"distillation_loss"}


def test_regressors_are_trained(taught: str) -> None:
    setting = setup(distilled(taught))
    before = setting.assemble().distilling
    after = trained(distilled(taught)).run.distilling
    assert before is not None and after is not None
    for one, other in zip(
        before.regressors.parameters(), after.regressors.parameters(), strict=True
    ):
        assert not torch.equal(one, other)


@pytest.mark.long
@pytest.mark.parametrize("optimizer", ["lbfgs", {"name": "adam", "lr": 0.01}])
def test_other_optimizers_distil(taught: str, optimizer: Any) -> None:
    run = trained(distilled(taught, optimizer=optimizer)).run
    assert run.is_finished


def test_frozen_layers_stay(taught: str) -> None:
    plain = distilled(taught)
    plain["model"]["freeze"] = ["linear1"]
    run = trained(plain).run
    assert torch.equal(
        run.network.state_dict()["linear1.weight"],
        setup(plain).assemble().network.state_dict()["linear1.weight"],
    )


@pytest.mark.long
def test_a_compiled_run_learns_the_same(taught: str) -> None:
    plain = distilled(taught)
    plain["train"] |= {"compile": True}
    compiled = trained(plain).run
    assert compiled.experiment.train.compile is True
    plain["train"] |= {"compile": False}
    plainly = trained(plain).run
    for name, weight in plainly.network.state_dict().items():
        assert torch.allclose(compiled.network.state_dict()[name], weight, atol=1e-5)


@pytest.fixture
def student(tmp_path: Path, taught: str) -> Path:
    """A file of a student beside its teacher."""
    shutil.copy(taught, tmp_path / "teacher.safetensors")
    plain = distilled("teacher.safetensors")
    path = tmp_path / "student.yaml"
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return path


def test_train_shows_and_records_the_agreement(student: Path, quick_cli: Cli) -> None:
    done = quick_cli("train", student)
    assert done.returncode == 0, done.stderr
    [row, _] = rows_of(student.parent / "runs" / "student")
    assert 0 <= row["train_agreement"] <= 1
    assert f"agreement {row['train_agreement']:.2%}" in done.stdout
    assert row["train_distillation_loss"] > 0
    assert "teacher.safetensors: 38 parameters" in done.stdout
    (student.parent / "teacher.safetensors").unlink()
    for command in ("eval", "summary"):
        assert quick_cli(command, student.parent / "runs" / "student").returncode == 0


def test_another_teacher_is_refused_on_resuming(student: Path, quick_cli: Cli) -> None:
    assert quick_cli("train", student).returncode == 0
    run = student.parent / "runs" / "student"
    moved = student.parent / "moved.safetensors"
    shutil.move(student.parent / "teacher.safetensors", moved)
    done = quick_cli("train", "--resume", run, "train.epochs=3")
    assert done.returncode == 4
    assert "no such run folder or checkpoint" in done.stderr
    done = quick_cli("train", "--resume", run, "train.epochs=3", f"distill.teacher={moved}")
    assert done.returncode == 0, done.stderr
    teacher(moved, experiment(seed=8))
    done = quick_cli("train", "--resume", run, "train.epochs=4")
    assert done.returncode == 4
    assert "has changed since the run was started" in done.stderr
    done = quick_cli("train", student, "--resume", f"distill.teacher={moved}")
    assert done.returncode == 4
    assert "sha256" in done.stderr


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_missing_teacher_is_found_before_work_starts(
    command: str, student: Path, quick_cli: Cli
) -> None:
    (student.parent / "teacher.safetensors").unlink()
    line = next(
        number
        for number, text in enumerate(student.read_text(encoding="utf-8").splitlines(), 1)
        if "teacher:" in text and "safetensors" in text
    )
    done = quick_cli(command, student)
    assert done.returncode != 0
    assert f"{student.name}:{line}:" in done.stderr
    assert "no such run folder or checkpoint" in done.stderr
    assert not (student.parent / "runs").exists()


def test_who_only_looks_needs_no_teacher(student: Path, quick_cli: Cli) -> None:
    (student.parent / "teacher.safetensors").unlink()
    for command in (["summary"], ["trace", "--sample", "3"]):
        done = quick_cli(command[0], student, *command[1:])
        assert done.returncode == 0, done.stderr
    assert "teachers (distill) are left out" in done.stdout


def test_a_training_script_has_no_teacher(taught: str) -> None:
    setting = setup(distilled(taught))
    loaded = setting.loaded
    with pytest.raises(FaultError, match="cannot ask a teacher"):
        training_source(
            setting.experiment, loaded.plan, loaded.tasks, setting.splits, network="", name="Net"
        )


@pytest.mark.long
def test_diagnose_says_that_it_asks_no_teacher(student: Path, quick_cli: Cli) -> None:
    done = quick_cli("diagnose", student)
    assert "before training, without its teachers" in done.stdout, done.stderr


@pytest.mark.long
def test_the_best_of_a_run_is_its_teacher(student: Path, quick_cli: Cli) -> None:
    assert quick_cli("train", student).returncode == 0
    run = student.parent / "runs" / "student"
    done = quick_cli("train", student, f"distill.teacher={run}", "name=again")
    assert done.returncode == 0, done.stderr
    content = (student.parent / "runs" / "again" / "config.yaml").read_text(encoding="utf-8")
    assert load(run / "checkpoints" / "best.safetensors").tensors
    assert str(run) in content
