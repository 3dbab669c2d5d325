"""A compiler that is not there or does not work never ends a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cnnctl.training import compilation
from cnnctl.training.compilation import Compiled, can_compile
from tests.conftest import Cli, invoke

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_a_cpu_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert not can_compile(CPU)
    monkeypatch.setattr("shutil.which", lambda name: name if name == "clang++" else None)
    assert can_compile(CPU)
    monkeypatch.setattr("sys.platform", "win32")
    assert not can_compile(CPU)


@pytest.mark.parametrize(
    ("capability", "triton", "can"), [(9, 1, True), (6, 1, False), (9, 0, False)]
)
def test_a_gpu_needs_triton_and_volta(
    monkeypatch: pytest.MonkeyPatch, capability: int, triton: int, can: bool
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (capability, 0))
    monkeypatch.setattr(compilation, "find_spec", lambda name: object() if triton else None)
    assert can_compile(GPU) is can


def assert_gone_on_without(folder: Path, *outputs: str) -> None:
    """The first of two trainings said that it could not compile; otherwise they are the same."""
    said = "train.compile: compilation failed, continuing without it: "
    assert said in outputs[0]
    configs = [(folder / "runs" / n / "config.yaml").read_text() for n in ("tiny", "tiny-2")]
    assert configs[0] == configs[1]
    lines = [output.partition("\ntest: ")[2].partition("\n")[0] for output in outputs]
    assert lines[0] == lines[1]


@pytest.mark.usefixtures("broken_compiler")
def test_a_compiler_that_does_not_work_is_gone_on_without(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    done = invoke("train", tiny, "train.compile=true", "train.device=cpu")
    plain = invoke("train", tiny, "train.compile=false", "train.device=cpu")
    assert done.exit_code == plain.exit_code == 0, done.stderr
    assert_gone_on_without(tiny.parent, done.stdout, plain.stdout)


@pytest.mark.long
def test_a_compiler_of_the_environment_that_does_not_work_is_gone_on_without(
    cli: Cli, cold_cli: Cli, tiny: Path
) -> None:
    broken = {"CXX": "/bin/false", "TORCHINDUCTOR_CACHE_DIR": str(tiny.parent / "cache")}
    done = cold_cli("train", tiny, "train.compile=true", "train.device=cpu", **broken)
    plain = cli("train", tiny, "train.compile=false", "train.device=cpu")
    assert done.returncode == plain.returncode == 0, done.stderr
    assert_gone_on_without(tiny.parent, done.stdout, plain.stdout)


@pytest.mark.long
@pytest.mark.parametrize("where", ["/proc/nowhere", "/dev/null/below"])
@pytest.mark.parametrize("compile", ["true", "auto"])
def test_a_folder_that_the_compiler_cannot_write_to_is_not_used(
    cold_cli: Cli, tiny: Path, where: str, compile: str
) -> None:
    options = (f"train.compile={compile}", "train.device=cpu", "train.epochs=1")
    done = cold_cli("train", tiny, *options, TORCHINDUCTOR_CACHE_DIR=where)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


class Failing:
    """A function that cannot be compiled from its second call on."""

    calls = 0

    def __call__(
        self, inputs: Tensor, targets: Tensor, answers: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        self.calls += 1
        if self.calls > 1:
            raise PermissionError("the cache cannot be written")
        return inputs, (inputs * targets).sum()


def test_compiling_can_fail_at_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Failing()
    monkeypatch.setattr("torch.compile", lambda forward, **options: fast)
    reasons: list[str] = []
    plain = lambda inputs, targets, _: (inputs, (2 * inputs * targets).sum())  # noqa: E731
    step = Compiled(plain, mode=None, failed=reasons.append)
    targets, factor = torch.tensor([1.0, 3.0]), torch.tensor(1.0)
    for times in (1, 2, 2):
        inputs = torch.ones(2, requires_grad=True)
        step(inputs, targets, (), factor)
        assert inputs.grad is not None
        assert torch.equal(inputs.grad, times * targets)
    assert fast.calls == 2
    assert reasons == ["the cache cannot be written"]


@pytest.mark.long
@pytest.mark.skipif(not can_compile(CPU), reason="there is no C++ compiler")
def test_an_nvcc_without_a_gpu_and_an_unusable_folder_cause_no_warning(
    cli: Cli, tiny: Path
) -> None:
    odd = {"CUDA_HOME": "/usr", "TORCHINDUCTOR_CACHE_DIR": "/proc/nowhere"}
    done = cli("train", tiny, "train.compile=true", "train.device=cpu", **odd)
    assert (done.returncode, done.stderr) == (0, "")
    assert ", compiled" in done.stdout
