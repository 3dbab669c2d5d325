"""The cells of a sheet are what training draws."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_diabetes

from cnnctl.config.source import parse_source
from cnnctl.data.loader import Batches
from cnnctl.errors import FaultError
from cnnctl.experiment import Loaded, complete
from cnnctl.preview.gather import gather
from cnnctl.preview.report import report
from cnnctl.training.setup import set_up

DIGITS = """\
data:
  name: digits
  batch_size: 100
  drop_last: true
  sampler: balanced
  augment: [{crop: {padding: 2}}, {mixup: {alpha: 1}}]
model: {layers: [flatten, {linear: classes}]}
train: {epochs: 3, device: cpu}
"""


def loaded(text: str, *overrides: str) -> Loaded:
    return complete(parse_source(text, Path("x.yaml")), "x", overrides)


def steps(batches: Batches, *, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(inputs.clone(), targets.clone()) for inputs, targets in batches.epoch(epoch)]


def test_the_cells_are_the_inputs_of_the_steps_of_training() -> None:
    preview = gather(loaded(DIGITS), samples=5)
    assert preview.columns == ["stored", "epoch 1", "epoch 2", "epoch 3"]
    setup = set_up(loaded(DIGITS))
    plain = set_up(loaded(DIGITS, "data.augment=[]"))  # the same order, which stored pixels tell
    mean, std = (part.item() for part in setup.experiment.data.normalize.tensors())  # type: ignore[union-attr]
    missing = 0
    for stored, *drawn in preview.rows:
        assert stored is not None
        for epoch, cell in enumerate(drawn):
            found = [
                (step, place)
                for step, (inputs, _) in enumerate(steps(plain.batches.train, epoch=epoch))
                for place in range(len(inputs))
                if torch.allclose(inputs[place] * std + mean, stored.values, atol=1e-5)
            ]
            if not found:
                missing += 1
                assert cell is None
                continue
            step, place = found[0]
            inputs, targets = steps(setup.batches.train, epoch=epoch)[step]
            assert cell is not None
            torch.testing.assert_close(cell.values, inputs[place] * std + mean)
            likeliest = str(int(targets[place].argmax()))
            assert cell.label == likeliest or cell.label.startswith(f"{likeliest} (")
    assert missing < 5


def test_pixels_are_those_that_are_stored() -> None:
    preview = gather(loaded(DIGITS, "data.sampler=shuffle", "data.drop_last=false"), samples=20)
    split = set_up(loaded(DIGITS)).splits.train
    known = split.samples.rows.take(split.positions).float() / 255
    assert preview.available == len(split)
    for row in preview.rows:
        assert row[0] is not None
        distances = (known - row[0].values).abs().amax((1, 2, 3))
        nearest = int(distances.argmin())
        assert distances[nearest] < 1e-6
        assert row[0].label == str(int(split.targets[nearest]))


def test_evaluated_splits_are_spread_evenly_and_not_augmented() -> None:
    preview = gather(loaded(DIGITS), samples=3, split="test")
    assert (preview.columns, preview.augmentations) == (["stored"], [])
    test = set_up(loaded(DIGITS)).splits.test
    for number, (cell,) in enumerate(preview.rows):
        assert cell is not None
        place = number * len(test) // 3
        assert cell.label == str(int(test.targets[place]))


def test_a_split_with_few_samples_is_shown_whole() -> None:
    text = "{data: {name: inline, inputs: [[1, 2], [3, 4]], targets: [[5], [6.5]], validation: 0}, "
    text += "model: {layers: [{linear: 1}]}, loss: mse}"
    preview = gather(loaded(text), samples=8)
    cells = [row[0] for row in preview.rows]
    assert sorted((*cell.values.tolist(), cell.label) for cell in cells if cell) == [
        (pytest.approx(1), pytest.approx(2), "5"),
        (pytest.approx(3), pytest.approx(4), "6.5"),
    ]
    with pytest.raises(FaultError, match="inline has no validation split"):
        gather(loaded(text), samples=8, split="validation")


def test_several_targets_and_labels_are_named() -> None:
    text = "{data: {name: inline, inputs: [[1], [3]], validation: 0, "
    text += "targets: {side: [1, 0], place: [[1, 2], [3, 4]]}}, "
    text += "model: {layers: [{linear: 4}], heads: {place: {layers: [{linear: 2}], loss: mse}, "
    text += "side: {layers: [{linear: 2}]}}}}"
    rows = gather(loaded(text), samples=2).rows
    labels = sorted(cell.label for row in rows for cell in row if cell)
    assert labels == ["place: 1, 2; side: 1", "place: 3, 4; side: 0"]


def test_values_are_shown_in_their_own_units() -> None:
    text = "{data: diabetes, model: {layers: [{linear: 1}]}, loss: mse}"
    known = {f"{value:g}" for value in load_diabetes().target}
    labels = [cell.label for row in gather(loaded(text), samples=20).rows for cell in row if cell]
    assert len(labels) == 20
    assert set(labels) <= known


@pytest.mark.skipif(torch.cuda.device_count() > 9, reason="needs a GPU that is not there")
def test_no_gpu_is_needed() -> None:
    preview = gather(loaded(DIGITS, "train.device=cuda:9"), samples=1)
    assert preview.is_other_device
    assert not gather(loaded(DIGITS), samples=1).is_other_device


def test_small_images_of_early_epochs_are_enlarged_to_full_ones() -> None:
    layers = "model.layers=[conv: 2, global_avg_pool, linear: classes]"
    growing = "train.progressive_resizing={delay_fraction: 0, finetune_fraction: 0}"
    found = loaded(DIGITS, layers, growing, "data.augment=[]", "data.sampler=shuffle")
    preview = gather(found, samples=3)
    assert preview.columns == ["stored", "epoch 1", "epoch 2", "epoch 3"]
    assert preview.sizes == [(4, 4), (4, 4), (8, 8)]
    [stored, small, _, full] = next(row for row in preview.rows if all(row))
    assert stored is not None
    assert small is not None
    assert full is not None
    assert torch.allclose(full.values, stored.values, atol=1e-5)
    assert torch.equal(small.values[..., 0::2], small.values[..., 1::2])
    assert "image sizes: 4x4 from epoch 1, 8x8 from epoch 3" in list(report(preview))
