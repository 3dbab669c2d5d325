"""Occlusion, LIME, SHAP, integrated gradients: as worked without captum, and what they sum to."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import pytest
import torch
from torch import Tensor

from cnnctl.explanation.methods import METHODS, lime, shap
from cnnctl.explanation.methods.integrated_gradients import CLOSE, LEAST
from cnnctl.explanation.parts import parts_of
from cnnctl.explanation.request import Request
from tests.explanation.conftest import CNN, SIGNALS, VECTORS, request_of, subject_of

PLANE = "data: {name: moons}\nmodel: {layers: [{linear: 8}, tanh, {linear: classes}]}"


@pytest.mark.parametrize("text", [CNN, SIGNALS, VECTORS])
def test_integrated_gradients_add_up_to_the_difference_of_outputs(text: str) -> None:
    request = request_of(subject_of(text), 0, 5)
    found = METHODS["integrated-gradients"].explain(request)
    for index, (inputs, number) in enumerate(request.cases()):
        pair = torch.cat([inputs, torch.zeros_like(inputs)])
        outputs = request.network(pair)[:, number].detach()
        difference = float(outputs[0] - outputs[1])
        total = float(found.arrays["map"][index].sum())
        assert total == pytest.approx(difference, rel=CLOSE, abs=CLOSE * LEAST)
        assert found.rows[index].facts["sum"] == pytest.approx(total, rel=1e-4)
        assert found.rows[index].facts["difference"] == pytest.approx(difference, rel=1e-4)


def test_of_a_linear_network_they_are_weight_times_input() -> None:
    subject = subject_of(VECTORS, "model.layers=[{linear: 1}]")
    request = request_of(subject, 3)
    found = METHODS["integrated-gradients"].explain(request).arrays["map"]
    [weight] = [each for each in request.network.parameters() if each.ndim == 2]
    torch.testing.assert_close(found, (weight * request.samples.inputs).detach())


def share(request: Request, inputs: Tensor) -> float:
    return float(request.network(inputs).softmax(1)[0, request.explained[0]].detach())


def test_occlusion_is_the_fall_of_the_probability() -> None:
    request = request_of(subject_of(PLANE), 4)
    inputs = request.samples.inputs
    hidden = [inputs * torch.tensor([0.0, 1.0]), inputs * torch.tensor([1.0, 0.0])]
    falls = [share(request, inputs) - share(request, each) for each in hidden]
    found = METHODS["occlusion"].explain(request).arrays["map"]
    assert found[0].tolist() == pytest.approx(falls, abs=1e-6)


def shapley_values(request: Request, count: int) -> list[float]:
    """From the definition: the mean over all orders of what a feature adds."""
    inputs, found = request.samples.inputs, []
    for own in range(count):
        others, total = [each for each in range(count) if each != own], 0.0
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for present in combinations(others, size):
                kept = torch.zeros(count)
                kept[list(present)] = 1
                without = share(request, inputs * kept)
                kept[own] = 1
                total += weight * (share(request, inputs * kept) - without)
        found.append(total)
    return found


def test_shap_finds_the_shapley_values() -> None:
    text = "data: {name: fake, shape: [5], classes: 3, batch_size: 8}"
    subject = subject_of(f"{text}\nmodel: {{layers: [{{linear: 8}}, tanh, {{linear: classes}}]}}")
    request = request_of(subject, 2)
    found = METHODS["shap"].explain(request).arrays["map"]
    assert found[0].tolist() == pytest.approx(shapley_values(request, 5), abs=0.005)


def test_lime_of_what_is_linear_is_exact() -> None:
    subject = subject_of(VECTORS, "model.layers=[{linear: 1}]")
    request = request_of(subject, 3)
    explanation = METHODS["lime"].explain(request)
    [weight] = [each for each in request.network.parameters() if each.ndim == 2]
    values = weight[0].detach() * request.samples.inputs[0]
    std = subject.trained.in_own_units(subject.tasks[0], torch.tensor([[0.0], [1.0]]))
    expected = values * (std[1] - std[0])
    torch.testing.assert_close(explanation.arrays["map"][0], expected, rtol=0.05, atol=0.5)
    assert explanation.rows[0].facts["R2"] == pytest.approx(1, abs=0.01)


def test_a_picture_has_a_grid_and_a_signal_spans() -> None:
    pictures, signals = parts_of(subject_of(CNN)), parts_of(subject_of(SIGNALS))
    assert pictures.of.shape == (1, 16, 16)
    assert (pictures.count, pictures.described) == (36, "6 x 6 cells")
    assert not pictures.of[0, :3, :3].any()
    assert int(pictures.of[0, 0, 3]) == 1
    assert signals.of.shape == subject_of(SIGNALS).shape
    assert set(signals.of.flatten().tolist()) == set(range(signals.count))


@pytest.mark.parametrize("name", ["occlusion", "lime", "shap"])
@pytest.mark.parametrize("text", [CNN, SIGNALS])
def test_maps_have_the_sides_of_the_input_and_are_the_same_again(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lime, shap):
        monkeypatch.setattr(module, "SAMPLES", 32)
        monkeypatch.setattr(module, "PER_PART", 1)
    request = request_of(subject_of(text), 1)
    state = torch.get_rng_state()
    first, second = (METHODS[name].explain(request).arrays["map"] for _ in range(2))
    shape = request.subject.shape
    assert first.shape == (1, *(shape[1:] if len(shape) == 3 else shape))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
