"""No advice on what is shipped: the experiments of configs/, and the published networks."""

from pathlib import Path

import pytest

from cnnctl.advice import placed_advice
from cnnctl.experiment import complete, load
from cnnctl.model import zoo

CONFIGS = sorted(Path("configs").glob("*.yaml"))
SEEN_FIRST = {"lenet5", "all_cnn_c", "squeezenet1_1", "vgg16_bn", "resnet20", "googlenet"}
"""Networks of each sort; all others only in CI."""
NAMES = [
    name if name in SEEN_FIRST else pytest.param(name, marks=pytest.mark.long)
    for name in sorted(zoo.Network.kinds)
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_experiment_gets_no_advice(config: Path) -> None:
    assert placed_advice(load(config)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_published_network_gets_no_advice(name: str) -> None:
    used = zoo.experiment_of(name)
    found = [advice.message for advice in placed_advice(complete(used, name, ("optimizer=adam",)))]
    # VGG's convolutions have biases before batch norm, as published
    assert [message for message in found if "cancels the bias" not in message] == []


def test_layers_of_the_zoo_are_not_advised_upon_where_they_are_used(tmp_path: Path) -> None:
    file = tmp_path / "vgg.yaml"
    data = "data: {name: fake, shape: [3, 64, 64], classes: 10}"
    file.write_text(f"{data}\nmodel: {{zoo: vgg11_bn}}\noptimizer: adam\n", encoding="utf-8")
    assert placed_advice(load(file)) == []
