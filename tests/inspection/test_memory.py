"""The estimate of what training keeps, held against what autograd is seen to save."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cnnctl.errors import FaultError
from cnnctl.inspection import device_memory, gather, training_memory
from cnnctl.model import network
from cnnctl.model.freezing import Freeze, freezing_of
from cnnctl.model.network import NetworkPlan
from cnnctl.optim.optimizers import Optimizer
from tests.examples import BLOCKS, LEAVES, example, published
from tests.inspection.conftest import saved

Architecture = Callable[..., NetworkPlan]


SMALL = "data.shape=[3,64,64]"


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("lenet5", []),
        pytest.param("vgg11", ["data.shape=[3,32,32]"], marks=pytest.mark.long),
        pytest.param("vgg16_bn", [SMALL], marks=pytest.mark.long),
        ("resnet20", []),
        ("resnet18", [SMALL]),
        ("preact_resnet18", []),
        ("googlenet", [SMALL]),
        ("densenet_bc", ["model.depth=16"]),
        ("mobilenet_v2", [SMALL]),
        ("squeezenet1_1", [SMALL]),
        ("mobilenet_v3_small", [SMALL]),
        ("shufflenet_v2_x0_5", [SMALL]),
        ("convnext_tiny", [SMALL]),
    ],
)
def test_activations_are_what_autograd_saves(name: str, overrides: list[str]) -> None:
    """To 1.5 %, which are the statistics of batch norms, for as small a batch and images."""
    plan = published(name, *overrides).plan
    real = saved(network.build(plan, seed=0).train(), plan, 3)
    assert gather(plan, batch_size=3).kept_bytes == pytest.approx(real, rel=0.015)


def keeps_what_autograd_saves(plan: NetworkPlan) -> None:
    real = saved(network.build(plan, seed=0).train(), plan, 8)
    assert gather(plan, batch_size=8).kept_bytes == pytest.approx(real, rel=0.01)


@pytest.mark.parametrize("kind", [*LEAVES, *BLOCKS])
def test_every_kind_keeps_what_autograd_saves(kind: str, architecture: Architecture) -> None:
    """Between two layers with weights, so that its input and its output are numbers that learn."""
    checked = False
    for front in ([{"conv": 4}], ["flatten", {"linear": 12}]):
        with suppress(FaultError):
            layers = [*front, example(kind), "flatten", {"linear": 3}]
            keeps_what_autograd_saves(architecture(*layers, input=(2, 20, 22)))
            checked = True
    assert checked


@pytest.mark.parametrize(
    "item",
    [
        {"layer_norm": {"over": "channels"}},
        *(
            example("conv", padding=1, padding_mode=mode)
            for mode in ("reflect", "replicate", "circular")
        ),
    ],
    ids=str,
)
def test_an_option_that_changes_what_is_kept(item: Any, architecture: Architecture) -> None:
    keeps_what_autograd_saves(architecture({"conv": 4}, item, {"conv": 2}, input=(2, 20, 22)))


SAME: Any = {"conv": {"out_channels": 3, "padding": 1}}
JOINED: list[Any] = [
    {"branches": {"ways": [["sigmoid", {"chunk": 0}], ["silu", {"chunk": 1}]], "join": "add"}},
    {"branches": {"ways": [[{"chunk": 0}], [{"chunk": 1}, SAME]], "join": "concatenate"}},
    {"branches": {"ways": [[{"conv": 3}], [{"conv": 3}], [{"conv": 3}]], "join": "multiply"}},
    {"branches": {"ways": [[{"conv": 3}], [{"conv": 3}]], "join": "multiply"}},
    {"branches": {"ways": [[{"conv": 3}, "relu"], [{"conv": 3}, "tanh"]], "join": "add"}},
    {"branches": {"ways": [[{"conv": 3}], [{"conv": 5}]], "join": "concatenate"}},
    {"residual": {"layers": [{"conv": {"out_channels": 2, "padding": 1}}], "activation": "silu"}},
    {"dense": {"layers": [{"conv": {"out_channels": 2, "padding": 1}}], "times": 3}},
]


@pytest.mark.parametrize("block", JOINED, ids=str)
def test_ways_that_meet_keep_what_autograd_saves(block: Any, architecture: Architecture) -> None:
    plan = architecture(block, "sigmoid", {"conv": 2}, input=(2, 12, 11))
    real = saved(network.build(plan, seed=0).train(), plan, 4)
    assert gather(plan, batch_size=4).kept_bytes == real


@pytest.mark.parametrize(
    "freeze", ["backbone", ["conv1"], ["*.bias"], ["linear1"], ["conv1.weight"]]
)
def test_what_is_frozen_keeps_less(freeze: Freeze, lenet: NetworkPlan) -> None:
    module = network.build(lenet, seed=0)
    freezing_of(module, freeze, unfreeze_at=None).begin_epoch(1)
    summary = gather(lenet, batch_size=2, freeze=freeze)
    assert summary.kept_bytes == saved(module, lenet, 2)
    trainable = [p for p in module.parameters() if p.requires_grad]
    assert summary.trainable == sum(p.numel() for p in trainable)
    assert training_memory(summary, Optimizer.read("adam")).gradients == sum(
        p.nbytes for p in trainable
    )


def test_what_begins_to_learn_in_the_first_epoch_is_trainable(lenet: NetworkPlan) -> None:
    assert gather(lenet, batch_size=1, freeze="backbone", unfreeze_at=1).trainable == 61_706


def test_adam_on_lenet_worked_by_hand(lenet: NetworkPlan) -> None:
    memory = training_memory(gather(lenet, batch_size=1), Optimizer.read("adam"))
    weights = 61_706 * 4
    # images, two convolutions (tanh keeps its output, the pool its input, and so the same), their
    # pools, which the next layer keeps, and three vectors of which the last is kept by nothing
    kept = 32 * 32 + 6 * 28 * 28 + 6 * 14 * 14 + 16 * 10 * 10 + 16 * 5 * 5 + 120 + 84
    assert (memory.weights, memory.gradients) == (weights, weights)
    assert (memory.optimizer_state, memory.activations) == (2 * weights, 4 * kept)
    assert memory.total == 4 * weights + 4 * kept


def test_an_optimizer_that_does_not_say_what_it_keeps_is_tried_out(
    lenet: NetworkPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, adam = gather(lenet, batch_size=1), Optimizer.read("adam")
    told = training_memory(summary, adam)
    monkeypatch.setattr(type(adam), "numbers_kept", Optimizer.numbers_kept)
    monkeypatch.setattr(type(adam), "keeps", None)
    assert training_memory(summary, adam) == told


def test_the_cpu_has_the_memory_that_the_system_names() -> None:
    found = device_memory("cpu")
    assert found is not None
    assert found[0] == "the CPU"
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        total = int(meminfo.read_text().split("MemTotal:")[1].split()[0]) * 1024
        assert found[1] == pytest.approx(total, rel=0.01)


def test_a_device_that_is_not_there_has_no_memory() -> None:
    assert device_memory("cuda:99") is None


HEAVY = ("torch._dynamo", "torch.utils.flop_counter", "sympy", "torchvision", "sklearn")


def test_a_summary_of_a_known_network_loads_nothing_heavy(tmp_path: Path) -> None:
    """torch._dynamo alone takes a second and 160 MB; the first run of many a module loads it."""
    program = (
        "import sys\nfrom cnnctl.cli import main\nsys.argv = ['cnnctl', 'summary', 'vgg16']\n"
        "try:\n    main()\nfinally:\n"
        f"    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{program}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.strip() == "[]"
    assert "138,357,544" in done.stdout
