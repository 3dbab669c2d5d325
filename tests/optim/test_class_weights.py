from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, tensor

from cnnctl.errors import ExitCode, FaultError
from cnnctl.optim.class_weights import EffectiveNumber, balanced, counts_of
from cnnctl.optim.losses import Loss
from cnnctl.target import Target

COUNTS = [5000, 500, 50, 7, 1]
LABELS = torch.repeat_interleave(torch.arange(3), tensor([6, 3, 1]))
WEIGHTED = [name for name, kind in Loss.kinds.items() if "weight" in kind.model_fields]


def target(*names: str, is_multilabel: bool = False) -> Target:
    return Target("target", names, len(names), is_multilabel)


def fitted(loss: object, targets: Tensor = LABELS, *, names: str = "abc", outputs: int = 3) -> Loss:
    return Loss.read(loss).fitted(targets, target(*names), outputs=outputs)


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.repeat(np.arange(5), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    assert balanced(COUNTS) == pytest.approx(expected.tolist(), rel=1e-12)


@pytest.mark.parametrize("beta", [0.9, 0.99, 0.999, 0.9999])
def test_effective_numbers_are_the_geometric_series_of_the_paper(beta: float) -> None:
    # proposition 1: E_n = 1 + beta + … + beta^(n - 1)
    numbers = [float(np.sum(beta ** np.arange(count, dtype=np.float64))) for count in COUNTS]
    expected = len(COUNTS) / np.array(numbers) / np.sum(1 / np.array(numbers))
    found = EffectiveNumber(effective_number=beta, counts=COUNTS).weights()
    assert found == pytest.approx(expected.tolist(), rel=1e-9)
    assert sum(found) == pytest.approx(len(COUNTS))


def test_effective_numbers_lead_from_equal_weights_to_inverse_frequencies() -> None:
    assert EffectiveNumber(effective_number=0, counts=COUNTS).weights() == [1.0] * 5
    almost = EffectiveNumber(effective_number=1 - 1e-9, counts=COUNTS).weights()
    inverse = [1 / count for count in COUNTS]
    scale = len(COUNTS) / sum(inverse)
    assert almost == pytest.approx([scale * each for each in inverse], rel=1e-4)


def test_there_are_losses_with_class_weights() -> None:
    assert WEIGHTED == ["cross_entropy", "focal", "nll"]


@pytest.mark.parametrize("name", WEIGHTED)
def test_every_class_loss_is_fitted_to_the_classes(name: str) -> None:
    loss = fitted({"name": name, "weight": "balanced"})
    assert loss.is_fitted
    weight = [10 / (3 * 6), 10 / (3 * 3), 10 / (3 * 1)]
    assert loss == Loss.read({"name": name, "weight": weight})
    [buffer] = loss.build().buffers()
    assert buffer.tolist() == pytest.approx(weight)


def test_effective_numbers_are_written_with_what_was_counted() -> None:
    loss = fitted({"name": "cross_entropy", "weight": {"effective_number": 0.9}})
    assert loss.written()["weight"] == {"effective_number": 0.9, "counts": [6, 3, 1]}
    assert Loss.read(loss.written()) == loss
    [buffer] = loss.build().buffers()
    weights = EffectiveNumber(effective_number=0.9, counts=[6, 3, 1]).weights()
    assert buffer.tolist() == pytest.approx(weights)


@pytest.mark.parametrize(
    ("labels", "names", "outputs", "ratios"),
    [
        ([0, 0, 0, 1], "ab", 1, [3.0]),
        ([0, 0, 0, 1], "ab", 2, [1 / 3, 3.0]),
        ([0, 1, 2, 2], "abc", 3, [3.0, 3.0, 1.0]),
    ],
)
def test_a_balanced_pos_weight_is_the_ratio_of_negatives_to_positives(
    labels: list[int], names: str, outputs: int, ratios: Sequence[float]
) -> None:
    loss = fitted(
        {"name": "bce_with_logits", "pos_weight": "balanced"},
        tensor(labels),
        names=names,
        outputs=outputs,
    )
    assert loss == Loss.read({"name": "bce_with_logits", "pos_weight": ratios})
    logits, wanted = torch.randn(4, outputs), tensor(labels)
    one_hot = wanted[:, None] if outputs == 1 else torch.nn.functional.one_hot(wanted, outputs)
    parts = one_hot * torch.nn.functional.softplus(-logits) * tensor(ratios)
    parts += (1 - one_hot) * torch.nn.functional.softplus(logits)
    torch.testing.assert_close(loss.build()(logits, wanted), parts.mean())


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", {"name": "nll", "weight": [1, 2, 3]}])
def test_what_is_given_stays(loss: object) -> None:
    assert Loss.read(loss).is_fitted
    assert fitted(loss) == Loss.read(loss)


def test_samples_are_counted_by_class_or_by_label() -> None:
    assert counts_of(tensor([2, 0, 2, 1]), names="abc") == [1, 1, 2]
    assert counts_of(tensor([[1.0, 0.0], [1.0, 1.0]]), names="ab") == [2, 1]


@pytest.mark.parametrize(
    ("loss", "path"),
    [
        ({"name": "focal", "weight": "balanced"}, ("weight",)),
        ({"name": "nll", "weight": {"effective_number": 0.99}}, ("weight",)),
        ({"name": "bce_with_logits", "pos_weight": "balanced"}, ("pos_weight",)),
    ],
)
def test_a_class_without_a_sample_is_a_fault(loss: object, path: tuple[str]) -> None:
    with pytest.raises(FaultError) as caught:
        fitted(loss, tensor([0, 2]), names="abcdef", outputs=6)
    assert caught.value.exit_code is ExitCode.DATA
    (fault,) = caught.value.faults
    assert fault.path == path
    assert (
        fault.message == "no training samples of classes b, d, e and 1 more to derive a weight from"
    )
    assert fault.hint


@pytest.mark.parametrize(
    "loss",
    [
        {"name": "cross_entropy", "weight": "balanced"},
        {"name": "focal", "weight": {"effective_number": 0.9}},
        {"name": "bce_with_logits", "pos_weight": "balanced"},
    ],
)
def test_weights_that_were_not_measured_are_a_fault(loss: object) -> None:
    assert not Loss.read(loss).is_fitted
    with pytest.raises(FaultError, match="the class weights have not been measured"):
        Loss.read(loss).build()
