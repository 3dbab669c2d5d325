"""Filters, feature maps, inputs that maximise an output, and neighbours."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from cnnctl.errors import FaultError
from cnnctl.explanation.explanation import Explanation
from cnnctl.explanation.methods.feature_maps import FeatureMaps
from cnnctl.explanation.methods.filters import Filters
from cnnctl.explanation.methods.maximise import Maximise
from cnnctl.explanation.methods.neighbours import Neighbours
from cnnctl.explanation.request import Request
from cnnctl.subject import Subject
from tests.explanation.conftest import CNN, SIGNALS, VECTORS, request_of, subject_of

MLP = "data: {name: digits}\nmodel: {layers: [flatten, {linear: 12}, relu, {linear: classes}]}"


def of_network(subject: Subject, layer: str | None = None) -> Request:
    return Request(subject, subject.tasks[0], layer=layer)


def drawn(explanation: Explanation) -> list[torch.Tensor]:
    """The maps of the panels, in their order."""
    panels = [panel for row in explanation.rows for panel in row.panels]
    return [panel.heat.values for panel in panels if panel.heat]


def test_filters_are_the_weights_of_the_first_layer() -> None:
    for text, layer in ((CNN, "conv1"), (SIGNALS, "conv1"), (MLP, "linear1")):
        subject = subject_of(text)
        weight = dict(subject.trained.network.named_parameters())[f"{layer}.weight"].detach()
        explanation = Filters().explain(of_network(subject))
        found = drawn(explanation)
        assert explanation.rows[0].facts["filters"] == len(weight) == len(found)
        for own, heat in zip(weight, found, strict=True):
            assert torch.equal(own.flatten(), heat.flatten())


def test_filters_of_many_channels_are_their_mean() -> None:
    subject = subject_of(CNN)
    weight = dict(subject.trained.network.named_parameters())["conv2.weight"].detach()
    found = drawn(Filters().explain(of_network(subject, "conv2")))
    torch.testing.assert_close(torch.stack(found), weight.mean(1))


def test_feature_maps_are_the_outputs_of_a_layer() -> None:
    request = request_of(subject_of(CNN), 2, 4)
    found = FeatureMaps().explain(replace(request, layer="relu1"))
    first = torch.nn.Sequential(*list(request.network.children())[:2])
    torch.testing.assert_close(found.arrays["feature_maps"], first(request.samples.inputs).detach())
    assert FeatureMaps().explain(request).notes[0].endswith("the channels of conv1, 4 of 16x16")


def test_a_layer_without_places_has_no_feature_maps() -> None:
    request = replace(request_of(subject_of(CNN), 2), layer="flatten1")
    with pytest.raises(FaultError, match=r"flatten1 has no places, only \(54,\)"):
        FeatureMaps().explain(request)


@pytest.mark.parametrize("text", [CNN, SIGNALS, VECTORS])
def test_maximising_raises_every_output_within_what_is_possible(text: str) -> None:
    subject = subject_of(text)
    explanation = Maximise().explain(of_network(subject))
    arrays = explanation.arrays
    assert (arrays["reached"] > arrays["start"] + 0.5).all()
    assert len(explanation.facts) == subject.tasks[0].target.outputs
    if subject.is_pictures:
        assert 0 <= arrays["input"].min() <= arrays["input"].max() <= 1
    again = Maximise().explain(of_network(subject))
    assert torch.equal(again.arrays["input"], arrays["input"])


def test_a_channel_is_maximised_by_what_it_looks_for() -> None:
    subject = subject_of(MLP)
    request = replace(of_network(subject, "linear1"), unit=3)
    explanation = Maximise().explain(request)
    assert [name for name, _ in explanation.facts] == ["channel 3"]
    weight = dict(subject.trained.network.named_parameters())["linear1.weight"][3].detach()
    found = explanation.arrays["input"].flatten()
    signs = torch.where(found > 0.5, 1.0, -1.0)  # white where the weight is positive
    assert float((signs == weight.sign()).float().mean()) > 0.8
    with pytest.raises(FaultError, match="linear1 has no channel 12"):
        Maximise().explain(replace(request, unit=12))


def test_neighbours_are_the_nearest_of_all_training_samples() -> None:
    subject = subject_of(MLP)
    request = request_of(subject, 7)
    found = Neighbours().explain(request)
    hidden = torch.nn.Sequential(*list(request.network.children())[:3])
    train = torch.cat([inputs for inputs, _ in subject.batches("train").in_order()])
    similarity = functional.cosine_similarity(hidden(request.samples.inputs), hidden(train))
    nearest = similarity.topk(5)
    assert found.arrays["neighbours"][0].tolist() == nearest.indices.tolist()
    torch.testing.assert_close(
        found.arrays["distances"][0], 1 - nearest.values.detach(), atol=1e-5, rtol=0
    )
    assert found.notes[0].endswith("whose outputs of relu1 are the most similar")


def test_a_training_sample_is_no_neighbour_of_itself() -> None:
    subject = subject_of(MLP)
    chosen = subject.chosen([7], "train")
    found = Neighbours().explain(Request(subject, subject.tasks[0], chosen))
    assert 7 not in found.arrays["neighbours"][0].tolist()
