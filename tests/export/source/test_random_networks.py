"""Random networks of nested blocks compute the same as source."""

from random import Random
from typing import Any

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.model.network import Model, NetworkPlan, build
from cnnctl.model.network import plan as plan_network
from tests.export.source.twins import made, outputs, source

pytestmark = pytest.mark.long

CONVS = [{"conv": {"out_channels": width, "padding": "same"}} for width in (4, 8)]
LEAVES: list[Any] = [
    *("relu", "tanh", "gelu", "prelu", "softmax", "identity", "batch_norm"),
    *({"leaky_relu": 0.2}, {"elu": 0.5}, {"hardtanh": {"min_val": 0.0}}, {"group_norm": 2}),
    *({"layer_norm": {"over": "channels"}}, {"layer_scale": 0.1}, {"channel_shuffle": 2}),
    *({"max_pool": {"kernel_size": 3, "stride": 1, "padding": 1}}, *CONVS),
]
NAMES = ("unit", "Tensor", "class", "x", "self", "numbered")
LARGEST = 60
"""Layers and blocks of a network, so that many are tried in a minute."""
JOINS = ("concatenate", "add", "multiply", "mean")


def chain(random: Random, depth: int) -> list[Any]:
    return [layer(random, depth) for _ in range(random.randint(1, 4))]


def layer(random: Random, depth: int) -> Any:
    if not depth or random.random() < 0.45:
        return random.choice(LEAVES)
    kind = random.choice(("sequence", "repeat", "residual", "branches", "dense", "squeeze_excite"))
    inner = chain(random, depth - 1)
    options: dict[str, Any] = {
        "sequence": {"name": f"{random.choice(NAMES)}{random.randint(1, 99)}", "layers": inner},
        "repeat": {"times": random.randint(1, 4), "layers": inner},
        "residual": {
            "layers": inner,
            "activation": random.choice((None, "relu", "prelu")),
            "shortcut": random.choice(("auto", "projection", "pad")),
        },
        "branches": {
            "ways": {name: chain(random, depth - 1) for name in random.sample(NAMES, 2)}
            | {"y": []},
            "join": random.choice(JOINS),
        },
        "dense": {"times": random.randint(1, 4), "layers": inner[:1]},
        "squeeze_excite": {"reduction": 2, "activation": random.choice(("relu", "prelu"))},
    }
    return {kind: options[kind]}


def random_plan(random: Random) -> NetworkPlan | None:
    """A network, or None if its layers do not fit each other."""
    layers = [*chain(random, 2), *chain(random, 2), "flatten", {"linear": "classes"}]
    try:
        model = Model.model_validate({"layers": layers})
        plan = plan_network(model, input=(4, 8, 8), classes=3)
    except (FaultError, ValueError):
        return None
    return plan if len(list(plan.nested())) < LARGEST else None


@pytest.mark.parametrize("seed", range(10))
def test_nested_blocks_compute_the_same_as_source(seed: int) -> None:
    random = Random(seed)
    plans = filter(None, (random_plan(random) for _ in range(1000)))
    for _, plan in zip(range(5), plans, strict=False):
        original, twin = build(plan, seed=0), made(source(plan))
        twin.load_state_dict(original.state_dict(), strict=True)
        inputs = torch.randn(2, *plan.input, generator=torch.Generator().manual_seed(0))
        for training in (False, True):
            # layouts differ, and with them the order in which numbers are added
            expected = outputs(original, inputs, training=training)
            found = outputs(twin, inputs, training=training)
            scale = max(1.0, float(expected.abs().max()))
            assert float((found - expected).abs().max()) <= 1e-4 * scale
