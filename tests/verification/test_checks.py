"""Each check tells sound experiments from others."""

from math import log
from pathlib import Path
from typing import Any

import pytest

from cnnctl.config.source import Place, from_plain
from cnnctl.experiment import complete
from cnnctl.shipped import experiments
from cnnctl.verification import Finding, Verdict, gather, gathering, judged
from cnnctl.verification.checks import CHECKS
from cnnctl.verification.facts import Facts

LAYERS = ["flatten", {"linear": 16}, "relu", {"linear": "classes"}]


def facts_of(**sections: Any) -> Facts:
    plain = {"data": "digits", "model": {"layers": LAYERS}, "optimizer": "sgd", **sections}
    plain["train"] = {"epochs": 2, "device": "cpu", **sections.get("train", {})}
    return gather(complete(from_plain(plain, Place("x.yaml")), "x"))


def findings(facts: Facts) -> dict[str, Finding]:
    return {check.name: found for check, found in judged(facts).items()}


def verdicts(facts: Facts) -> set[Verdict]:
    return {found.verdict for found in findings(facts).values()}


def test_every_check_has_a_name_and_a_source() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.source and check.__doc__ for check in CHECKS)


LOSSES: dict[str, tuple[Any, float]] = {
    "plain": ("cross_entropy", log(10)),
    "summed": ({"name": "cross_entropy", "reduction": "sum"}, log(10)),
    "weighted": ({"name": "cross_entropy", "weight": "balanced"}, log(10)),
    "smoothed": ({"name": "cross_entropy", "label_smoothing": 0.3}, log(10)),
    "focal": ({"name": "focal", "gamma": 2}, 0.9**2 * log(10)),
    "binary": ("bce_with_logits", log(2)),
    "squares": ("mse", 0.09),
}
"""What a constant answer loses: all classes with 1/10, all labels with a half, the mean of 0 and 1
over ten outputs."""


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"squares"}))
def test_the_first_loss_is_compared_with_that_of_a_constant_answer(name: str) -> None:
    loss, expected = LOSSES[name]
    steps = facts_of(loss=loss).steps
    assert steps is not None
    [found] = steps.losses
    assert found.constant == pytest.approx(expected, rel=1e-5)
    assert 0.8 < found.loss / found.constant < 2


def test_every_head_is_compared_with_its_own_constant() -> None:
    heads = {name: {"layers": [{"linear": "classes"}]} for name in ("digit", "parity")}
    layers = ["flatten", {"linear": 16}, "relu"]
    facts = facts_of(model={"layers": layers, "heads": heads})
    assert facts.steps is not None
    found = {each.task: each.constant for each in facts.steps.losses}
    assert found == pytest.approx({"digit": log(10), "parity": log(2)})


def inline(targets: list[Any], **options: Any) -> dict[str, Any]:
    inputs = [[number / 10, (number * 7 % 10) / 10] for number in range(len(targets))]
    return {"name": "inline", "inputs": inputs, "targets": targets, **options}


def test_labels_are_compared_with_a_half_each() -> None:
    data = inline([[n % 2, int(n % 3 > 0)] for n in range(30)], classes=["a", "b"])
    weighted = {"name": "bce_with_logits", "pos_weight": [3.0, 1.0]}
    layers = [{"linear": "classes"}]
    for loss, factor in (("bce_with_logits", 1), (weighted, (1 + 2 * 0.5 + 1) / 2)):
        facts = facts_of(data=data, model={"layers": layers}, loss=loss)
        assert facts.steps is not None
        assert facts.steps.losses[0].constant == pytest.approx(factor * log(2), rel=1e-5)


def test_values_are_compared_with_their_mean() -> None:
    values = [[1000.0 + number] for number in range(30)]
    model = {"layers": [{"linear": 1}]}
    raw = facts_of(data=inline(values), model=model, loss="mse")
    assert raw.steps is not None
    assert raw.steps.losses[0].constant == pytest.approx((30**2 - 1) / 12)  # the variance
    found = findings(raw)["first loss"]
    assert found.verdict is Verdict.ERROR
    assert "data.normalize_targets=auto" in found.hint
    normal = facts_of(data=inline(values, normalize_targets="auto"), model=model, loss="mse")
    assert findings(normal)["first loss"].verdict is Verdict.FINE


def test_confident_errors_at_the_start_are_an_error() -> None:
    model = {"layers": LAYERS, "init": {"name": "normal", "std": 2.0}}
    found = findings(facts_of(model=model))["first loss"]
    assert found.verdict is Verdict.ERROR
    assert found.figure.startswith("the first loss is high: ")
    assert found.figure.endswith(" times ln(10)")


def test_a_step_that_does_not_stay_finite_is_an_error() -> None:
    found = findings(facts_of(optimizer={"name": "sgd", "lr": 1e30}))
    assert found["first step"].verdict is Verdict.ERROR
    assert found["first step"].figure.startswith("the loss is not finite at step 2")
    assert found["first loss"].verdict is Verdict.FINE
    model = {"layers": LAYERS, "init": {"name": "normal", "std": 1e30}}
    found = findings(facts_of(model=model))
    assert found["first step"].figure == "the loss is not finite at step 1"
    assert found["first loss"].verdict is found["time"].verdict is Verdict.UNKNOWN


def test_what_would_not_fit_is_told_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("cnnctl.verification.memory.available_memory", lambda device: 10_000)
    monkeypatch.setattr(gathering, "set_up", refuse)
    found = findings(facts_of())
    assert found["memory"].verdict is Verdict.ERROR
    assert found["memory"].figure.startswith("training would not fit: it needs at least ")
    assert found["data"].verdict is found["time"].verdict is Verdict.UNKNOWN


def test_the_time_is_that_of_all_batches_and_evaluations() -> None:
    facts = facts_of(train={"epochs": 7}, data={"name": "digits", "batch_size": 100})
    steps, duration = facts.steps, facts.duration
    assert steps is not None
    assert duration is not None
    assert facts.samples == {"train": 1293, "validation": 144, "test": 360}
    epoch = 13 * steps.batch + 144 * steps.sample + steps.saving
    assert duration.epoch == pytest.approx(epoch)
    assert duration.run == pytest.approx(7 * duration.epoch + 360 * steps.sample)


@pytest.mark.parametrize("name", sorted(set(experiments()) - {"lenet-mnist", "mlp-mnist"}))
def test_shipped_experiments_pass(name: str) -> None:
    if "cifar" in name:
        pytest.skip("is downloaded")
    from cnnctl.experiment import load

    facts = gather(load(Path(name), ["train.device=cpu"]))
    assert verdicts(facts) <= {Verdict.FINE, Verdict.UNKNOWN}
