from typing import Any

import pytest

from cnnctl.optim.optimizers import Optimizer
from tests.advice.conftest import advice

CONV = {"conv": {"out_channels": 4, "bias": False}}
HEAD = ["flatten", {"linear": "classes"}]
BINARY = {"data": {"name": "moons"}}
VALUES = {"data": {"name": "diabetes"}, "loss": "mse"}


SOUND = [
    ([CONV, "batch_norm", "relu", {"max_pool": 2}, {"dropout": 0.5}, *HEAD], {}),
    (["flatten", {"linear": 30}, "tanh", {"linear": "classes"}, "log_softmax"], {"loss": "nll"}),
    ([{"linear": 8}, "sigmoid", {"linear": 1}, "sigmoid"], BINARY | {"loss": "bce"}),
    ([{"linear": 8}, "relu", {"linear": 1}], BINARY | {"loss": "bce_with_logits"}),
    ([{"linear": 8}, "relu", {"linear": 1}], VALUES),
    ([{"linear": 8}, "relu", {"linear": 1}, "softplus"], VALUES),
    ([{"linear": 4}, "sigmoid", {"linear": 2}, "sigmoid"], BINARY | {"loss": "mse"}),
    ([{"conv": 4}, "tanh", *HEAD], {"init": "xavier_normal"}),
    ([{"conv": 4}, "gelu", *HEAD], {"init": "kaiming_uniform"}),
    ([{"conv": 4}, "relu", *HEAD], {"init": {"name": "xavier_normal", "gain": 1.414}}),
    ([{"conv": 4}, "tanh", *HEAD], {"init": {"name": "kaiming_normal", "nonlinearity": "auto"}}),
]


@pytest.mark.parametrize(("layers", "sections"), SOUND)
def test_a_sound_experiment_gets_no_advice(layers: list[Any], sections: dict[str, Any]) -> None:
    assert advice(layers, **sections) == {}


@pytest.mark.parametrize("kind", sorted(Optimizer.kinds))
def test_every_default_rate_is_usual(kind: str) -> None:
    data = {"name": "digits", "batch_size": "all"}
    found = advice([{"conv": 4}, "relu", *HEAD], optimizer=kind, data=data)
    assert not [message for message in found.values() if "usual range" in message]


@pytest.mark.parametrize("last", ["softmax", "log_softmax", "sigmoid", "log_sigmoid"])
def test_cross_entropy_wants_raw_outputs(last: str) -> None:
    found = advice([*HEAD, last])
    assert found == {
        f"model.layers.2.{last}": "cross_entropy expects logits: "
        f"it applies softmax itself: leave {last} out"
    }


def test_softmax_is_found_behind_what_only_moves_values() -> None:
    assert list(advice([*HEAD, "softmax", "identity"])) == ["model.layers.2.softmax"]


def test_bce_with_logits_wants_raw_outputs() -> None:
    found = advice([{"linear": 1}, "sigmoid"], **BINARY, loss="bce_with_logits")
    assert "it applies sigmoid itself" in found["model.layers.1.sigmoid"]


@pytest.mark.parametrize(
    ("layers", "path", "hint"),
    [
        ([*HEAD, "softmax"], "model.layers.2.softmax", "write log_softmax instead"),
        (HEAD, "model.layers.1.linear", "add log_softmax"),
    ],
)
def test_nll_wants_log_probabilities(layers: list[Any], path: str, hint: str) -> None:
    assert hint in advice(layers, loss="nll")[path]


TAGS = {"data": {"name": "fake", "shape": [8], "classes": 5, "multilabel": True}, "loss": "bce"}


def test_labels_want_sigmoid_and_not_softmax() -> None:
    found = advice([{"linear": "classes"}, "softmax"], **TAGS)
    assert found == {
        "model.layers.1.softmax": "softmax makes the probabilities of all labels add up to 1: "
        "use sigmoid instead"
    }
    assert advice([{"linear": "classes"}, "sigmoid"], **TAGS) == {}
    raw = advice([{"linear": "classes"}, "softmax"], **TAGS | {"loss": "bce_with_logits"})
    assert "leave softmax out" in raw["model.layers.1.softmax"]
    assert list(advice([{"linear": "classes"}, "tanh"], **TAGS)) == ["model.layers.1.tanh"]


def test_bce_wants_numbers_from_0_to_1() -> None:
    found = advice([{"linear": 1}], **BINARY, loss="bce")
    assert "use bce_with_logits" in found["model.layers.0.linear"]


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "gelu", "elu", "selu"])
def test_no_rectifier_belongs_at_the_output(kind: str) -> None:
    found = advice([*HEAD, kind])
    assert f"{kind} at the output" in found[f"model.layers.2.{kind}"]


@pytest.mark.parametrize("last", ["tanh", "sigmoid"])
def test_a_bounded_output_cannot_predict_every_value(last: str) -> None:
    found = advice([{"linear": 1}, last], **VALUES)
    assert list(found) == [f"model.layers.1.{last}"]


def test_bounded_logits_are_never_sure() -> None:
    assert list(advice([*HEAD, "tanh"])) == ["model.layers.2.tanh"]


def test_dropout_does_not_belong_at_the_output() -> None:
    assert list(advice([*HEAD, {"dropout": 0.5}])) == ["model.layers.2.dropout"]


@pytest.mark.parametrize(
    ("init", "activation", "hint"),
    [
        ("kaiming_normal", "tanh", "use xavier_normal"),
        ("kaiming_uniform", "sigmoid", "use xavier_uniform"),
        ("xavier_normal", "relu", "use kaiming_normal"),
        ("xavier_uniform", "leaky_relu", "use kaiming_uniform"),
    ],
)
def test_weights_suit_the_activation_behind_them(init: str, activation: str, hint: str) -> None:
    layers = [{"conv": 4}, {"avg_pool": 2}, activation, *HEAD]
    assert hint in advice(layers, init=init)["model.init"]


def test_a_layers_own_weights_are_judged_by_themselves() -> None:
    own = {"linear": {"out_features": 9, "init": "xavier_normal"}}
    found = advice(["flatten", {"linear": 9}, "tanh", own, "relu", {"linear": "classes"}])
    assert list(found) == ["model.layers.3.linear.init"]


def test_advice_on_the_whole_model_is_given_once() -> None:
    layers = [{"conv": 4}, "relu", {"conv": 4}, "relu", *HEAD]
    assert list(advice(layers, init="xavier_normal")) == ["model.init"]


def test_a_norm_takes_the_bias_before_it_away() -> None:
    layers = [{"conv": 4}, "batch_norm", "relu", CONV, "batch_norm", "relu", *HEAD]
    assert list(advice(layers)) == ["model.layers.0.conv.bias"]


def test_dropout_does_not_belong_before_batch_norm() -> None:
    layers = [CONV, "relu", {"dropout": 0.2}, "batch_norm", *HEAD]
    assert list(advice(layers)) == ["model.layers.2.dropout"]


def test_two_layers_without_an_activation_between_are_one() -> None:
    layers = ["flatten", {"linear": 9}, {"dropout": 0.5}, {"linear": "classes"}]
    assert "between linear1 and linear2" in advice(layers)["model.layers.3.linear"]


def test_a_transposed_convolution_is_a_layer_with_weights() -> None:
    up = {"conv_transpose": {"out_channels": 4, "stride": 2}}
    assert (
        "between conv1 and conv_transpose1"
        in advice([CONV, up, "relu", *HEAD])["model.layers.1.conv_transpose"]
    )
    bias = advice([CONV, "relu", up, "batch_norm", "relu", *HEAD])
    assert list(bias) == ["model.layers.2.conv_transpose.bias"]


def test_a_convolution_in_groups_needs_no_activation_behind_it() -> None:
    depthwise = {"conv": {"out_channels": 4, "groups": 4}}
    assert advice([{"conv": 4}, "relu", depthwise, {"conv": 8}, "relu", *HEAD]) == {}


def test_two_activations_in_a_row_are_one_too_many() -> None:
    assert list(advice([CONV, "relu", "tanh", *HEAD])) == ["model.layers.2.tanh"]


SIGMOIDS: list[Any] = [{"linear": 20}, "sigmoid"]


def test_many_sigmoids_let_no_gradient_through() -> None:
    deep = ["flatten", {"linear": 20}, *SIGMOIDS * 6, HEAD[1]]
    assert "through 6 sigmoids" in advice(deep)["model.layers.3.sigmoid"]


ROUND = {"residual": SIGMOIDS}
BESIDE = {"branches": {"ways": [SIGMOIDS * 2, [{"linear": 20}]], "join": "add"}}
BOTH = {"branches": {"ways": [SIGMOIDS, SIGMOIDS * 2], "join": "add"}}
DENSE = {"dense": {"layers": [{"sequence": SIGMOIDS}], "times": 6}}
REPEAT = {"repeat": {"times": 2, "layers": SIGMOIDS}}
AFTER = {"residual": {"layers": [{"linear": 20}], "activation": "sigmoid"}}
NORMED: list[Any] = [{"linear": 20}, "layer_norm", "sigmoid"]


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ([ROUND] * 6, 0),
        ([BESIDE] * 6, 0),
        ([BOTH] * 6, 6),
        ([DENSE], 0),
        ([REPEAT] * 3, 6),
        ([AFTER] * 6, 6),
        ([AFTER] * 4, 0),  # learns well
        ([{"residual": SIGMOIDS * 7}], 0),
        ([*SIGMOIDS * 3, ROUND, *SIGMOIDS * 3], 6),
        (NORMED * 8, 0),
        ([*NORMED, *SIGMOIDS * 4], 0),
        ([*SIGMOIDS * 3, *NORMED, *SIGMOIDS * 3], 0),
        # a norm that stands far from them is of no help
        ([*NORMED, *SIGMOIDS * 6], 7),
        ([*SIGMOIDS * 6, *NORMED], 6),
    ],
)
def test_only_sigmoids_that_every_gradient_has_to_pass_count(layers: list[Any], count: int) -> None:
    found = advice(["flatten", {"linear": 20}, *layers, HEAD[1]]).values()
    said = [message for message in found if "gradients vanish" in message]
    assert [message.split()[3] for message in said] == ([str(count)] if count else [])


@pytest.mark.parametrize(
    ("optimizer", "is_usual"),
    [
        ({"name": "sgd", "lr": 0.1}, True),
        ({"name": "sgd", "lr": 20}, False),
        ({"name": "adam", "lr": 0.1}, False),
        ({"name": "adam", "lr": 1e-8}, False),
    ],
)
def test_a_learning_rate_outside_the_usual_range_is_named(
    optimizer: dict[str, Any], is_usual: bool
) -> None:
    found = advice([{"conv": 4}, "relu", *HEAD], optimizer=optimizer)
    assert list(found) == ([] if is_usual else ["optimizer.lr"])


def test_l2_and_adam_do_not_go_together() -> None:
    regularization = {"l2": 1e-4}
    found = advice(HEAD, optimizer="adam", regularization=regularization)
    assert "use adamw" in found["regularization.l2"]
    assert advice(HEAD, optimizer={"name": "sgd", "lr": 0.1}, regularization=regularization) == {}


def test_lbfgs_wants_full_batches() -> None:
    assert "lbfgs" in advice(HEAD, optimizer="lbfgs")["data.batch_size"]


def test_a_batch_that_is_most_of_the_data_is_named() -> None:
    data = {"name": "moons", "samples": 1000, "validation": 0.0}
    layers = [{"linear": 8}, "relu", {"linear": "classes"}]
    assert (
        "use a batch_size <= 250"
        in advice(layers, data=data | {"batch_size": 500})["data.batch_size"]
    )
    assert advice(layers, data=data | {"batch_size": 250}) == {}
    train = {"epochs": 100}
    assert advice(layers, data=data | {"batch_size": "all"}, train=train) == {}


def test_batch_norm_wants_more_than_a_few_samples() -> None:
    layers = [CONV, "batch_norm", "relu", *HEAD]
    data = {"name": "digits", "batch_size": 4}
    assert "or group_norm" in advice(layers, data=data)["data.batch_size"]


def test_patience_ends_before_the_training_does() -> None:
    train = {"epochs": 10}
    assert list(advice(HEAD, train=train, regularization={"early_stopping": 10})) == [
        "regularization.early_stopping"
    ]
    assert advice(HEAD, train=train, regularization={"early_stopping": 9}) == {}


@pytest.mark.parametrize("weight", ["balanced", {"effective_number": 0.9}, [1] * 10])
def test_rare_classes_are_compensated_for_once(weight: Any) -> None:
    balanced = {"name": "digits", "sampler": "balanced"}
    loss = {"name": "cross_entropy", "weight": weight}
    assert list(advice(HEAD, data=balanced, loss=loss)) == ["data.sampler"]
    assert advice(HEAD, data=balanced) == {}
    assert advice(HEAD, loss=loss) == {}


def test_digits_are_not_flipped() -> None:
    data = {"name": "digits", "augment": [{"crop": 1}, "horizontal_flip"]}
    assert list(advice(HEAD, data=data)) == ["data.augment.1.horizontal_flip"]
    flipped = {"name": "cifar10", "augment": ["horizontal_flip"]}
    assert advice(HEAD, data=flipped) == {}
