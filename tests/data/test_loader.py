import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from cnnctl.data import sources
from cnnctl.data.augmentations import Augmentation
from cnnctl.data.dataset import DataSet
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import Batches, evaluation_batches, probabilities, training_batches
from cnnctl.data.normalization import Levels, Normalize, normalization_of
from cnnctl.data.preparation import Prepared, prepare
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.rows import MappedRows
from cnnctl.data.samples import Samples
from cnnctl.errors import FaultError, data_fault
from tests.data.conftest import inputs_of

assert sources

CPU = torch.device("cpu")
BatchSize = int | Literal["all"]
EVERYTHING: list[str | dict[str, Any]] = [
    "horizontal_flip",
    {"vertical_flip": {"alternating": True}},
    {"crop": 2},
    {"affine": {"degrees": 20, "translate": [0.1, 0.1], "scale": [0.9, 1.1], "shear": 5}},
    {"brightness": 0.2},
    {"contrast": 0.2},
    "random_resized_crop",
    "perspective",
    {"color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}},
    {"gaussian_blur": 3},
    "rand_augment",
    "trivial_augment_wide",
    "aug_mix",
    {"random_erasing": {"value": "random"}},
    {"cutout": 3},
    {"noise": 0.1},
    {"mixup": {"alpha": 0.4, "p": 0.5}},
    {"cutmix": 1.0},
]


def numbered(count: int = 50, *, channels: int = 3) -> Samples:
    """Images (count, channels, 4, 5) of random bytes, whose targets are their numbers."""
    images = torch.randint(0, 256, (count, channels, 4, 5), dtype=torch.uint8)
    return Samples(images, torch.arange(count))


def batches(
    samples: Samples | None = None,
    *,
    batch_size: BatchSize = 8,
    augment: Sequence[str | dict[str, Any]] = (),
    seed: int = 0,
    drop_last: bool = False,
    normalize: Normalize | None = None,
    balance: Tensor | None = None,
    **options: Any,
) -> Batches:
    samples = samples or numbered()
    return Batches(
        DeviceStore(samples, preprocessing=Preprocessing(normalize), device=CPU, **options),
        batch_size=batch_size,
        drop_last=drop_last,
        augment=[Augmentation.read(each) for each in augment],
        classes=len(samples),
        balance=balance,
        seed=seed,
    )


def targets_of(found: Iterable[tuple[Tensor, Tensor]]) -> list[int]:
    return torch.cat([targets for _, targets in found]).tolist()


@pytest.mark.parametrize("batch_size", [1, 7, 8, 50, 64, "all"])
@pytest.mark.parametrize("drop_last", [False, True])
def test_an_epoch_has_as_many_steps_as_it_says(batch_size: BatchSize, drop_last: bool) -> None:
    loader = batches(batch_size=batch_size, drop_last=drop_last)
    sizes = [len(targets) for _, targets in loader.epoch(0)]
    size = 50 if batch_size == "all" else batch_size
    full, rest = [size] * (50 // size), [50 % size] if 50 % size and not drop_last else []
    assert sizes == full + rest
    assert len(loader) == len(sizes)
    assert len(list(loader.epoch(0))) == len(sizes)


def test_every_sample_comes_once_an_epoch() -> None:
    assert sorted(targets_of(batches().epoch(3))) == list(range(50))


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    first, other_epoch = (targets_of(batches(seed=1).epoch(epoch)) for epoch in (0, 1))
    other_seed = targets_of(batches(seed=2).epoch(0))
    assert targets_of(batches(seed=1).epoch(0)) == first
    assert len({tuple(first), tuple(other_epoch), tuple(other_seed), tuple(range(50))}) == 4


def test_the_order_does_not_depend_on_what_else_was_drawn() -> None:
    loader = batches()
    first = targets_of(loader.epoch(0))
    torch.rand(17)
    list(loader.epoch(5))
    assert targets_of(loader.epoch(0)) == first


@pytest.mark.parametrize("start", [0, 1, 3, 6, 7])
@pytest.mark.parametrize("channels_last", [False, True])
def test_starting_late_gives_the_very_batches_of_a_whole_epoch(
    start: int, channels_last: bool
) -> None:
    def loader() -> Batches:
        torch.manual_seed(start)  # the global state must not matter
        return batches(samples, augment=EVERYTHING, channels_last=channels_last)

    samples = numbered()
    whole = list(loader().epoch(2))[start:]
    late = list(loader().epoch(2, start=start))
    assert len(whole) == len(late) == 7 - start
    for (inputs, targets), (late_inputs, late_targets) in zip(whole, late, strict=True):
        assert torch.equal(inputs, late_inputs)
        assert torch.equal(targets, late_targets)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", [(3, 7, 5), (1, 28, 28), (13,)])
def test_samples_that_are_kept_normalised_have_the_same_bits(
    shape: tuple[int, ...], channels_last: bool
) -> None:
    torch.manual_seed(0)
    stored = torch.randint(0, 256, (50, *shape), dtype=torch.uint8)
    samples = Samples(stored if len(shape) > 1 else stored / 7, torch.arange(50))
    channels = shape[0]
    normalize = Normalize(mean=[0.3] * channels, std=[0.7] * channels)
    one, other = (
        batches(samples, normalize=normalize, channels_last=channels_last, normalized=normalized)
        for normalized in (False, True)
    )
    for (inputs, _), (kept, _) in zip(one.epoch(1), other.epoch(1), strict=True):
        assert torch.equal(inputs, kept)
        assert inputs.stride() == kept.stride()


@pytest.mark.parametrize("start", [0, 3, 6])
def test_balanced_batches_may_start_late_too(start: int, tmp_path: Path) -> None:
    samples, classes = numbered(), (torch.arange(50) > 45).long()
    mapped = replace(samples, inputs=MappedRows.write(inputs_of(samples), folder=tmp_path))
    whole = list(batches(samples, augment=EVERYTHING, balance=classes).epoch(2))[start:]
    torch.rand(17)  # the global state must not matter
    late = list(batches(mapped, augment=EVERYTHING, balance=classes).epoch(2, start=start))
    assert len(whole) == len(late) == 7 - start
    for one, other in zip(whole, late, strict=True):
        assert all(map(torch.equal, one, other))


@pytest.mark.parametrize("targets", [(), ("parity", "digit"), ("parity",)])
def test_balanced_sampling_draws_from_its_split_by_the_first_target(targets: Sequence[str]) -> None:
    data = prepared(name="digits", sampler="balanced", validation=0.3)
    train = data.splits.train
    few = replace(train, positions=train.positions[(train.targets > 0) | (train.positions < 100)])
    store = DeviceStore.of(data.data, few.samples, device=CPU, targets=targets)
    loader = training_batches(data.data, store, few, seed=0)
    drawn = torch.cat([inputs for inputs, _ in loader.epoch(0)])
    assert len(drawn) == len(few)
    own = {tuple(row) for row in store.take(few.positions)[0].flatten(1).tolist()}
    assert {tuple(row) for row in drawn.flatten(1).tolist()} <= own
    if targets != ("parity",):
        labels = torch.cat([targets for _, targets in loader.epoch(0)])
        digits = labels[:, 1].long() if targets else labels
        counts = torch.bincount(digits)
        assert counts.max() - counts.min() <= 1
        assert torch.bincount(few.targets).min() < 10


def test_flips_alternate_from_epoch_to_epoch_whatever_the_order() -> None:
    samples = numbered()
    loader = batches(samples, augment=[{"horizontal_flip": {"alternating": True}}], batch_size=7)

    def shown(epoch: int) -> Tensor:
        parts = list(loader.epoch(epoch))
        targets = torch.cat([targets for _, targets in parts])
        return torch.cat([inputs for inputs, _ in parts])[targets.argsort()]

    first, second, third = map(shown, range(3))
    assert torch.equal(second, first.flip(3))
    assert torch.equal(third, first)
    as_stored = next(batches(samples, batch_size="all").in_order())[0]
    flipped = (first != as_stored).flatten(1).any(dim=1)
    assert 10 < int(flipped.sum()) < 40


def test_every_epoch_and_step_is_augmented_differently() -> None:
    same = Samples(torch.full((16, 1, 6, 6), 9, dtype=torch.uint8), torch.arange(16))
    loader = batches(same, augment=[{"noise": 1.0}])
    found = [inputs for epoch in (0, 1) for inputs, _ in loader.epoch(epoch)]
    assert len({tuple(inputs.flatten().tolist()) for inputs in found}) == 4


def test_batches_are_normalised_by_channel() -> None:
    samples = numbered(500)
    inputs, _ = next(
        batches(samples, batch_size="all", normalize=normalization_of([inputs_of(samples)])).epoch(
            0
        )
    )
    torch.testing.assert_close(inputs.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    std = inputs.std(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(std, torch.ones(3), atol=1e-5, rtol=0)


def test_vectors_are_normalised_by_feature() -> None:
    samples = Samples(torch.randn(500, 2) * torch.tensor([3.0, 0.1]) + 7, torch.arange(500))
    loader = batches(samples, batch_size="all", normalize=normalization_of([inputs_of(samples)]))
    inputs, _ = next(loader.epoch(0))
    torch.testing.assert_close(inputs.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(inputs.std(dim=0, correction=0), torch.ones(2), atol=1e-5, rtol=0)


def test_a_pixel_is_normalised_as_in_torchvision() -> None:
    samples = numbered(1)
    mean, std = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]
    inputs, _ = next(batches(samples, normalize=Normalize(mean=mean, std=std)).in_order())
    spread = [torch.tensor(numbers).view(3, 1, 1) for numbers in (mean, std)]
    expected = (inputs_of(samples)[0].double() / 255 - spread[0]) / spread[1]
    torch.testing.assert_close(inputs[0].double(), expected, atol=1e-5, rtol=0)


def test_without_normalisation_pixels_count_from_0_to_1_and_vectors_stay() -> None:
    samples = numbered()
    inputs, _ = next(batches(samples, batch_size="all").in_order())
    torch.testing.assert_close(inputs, inputs_of(samples) / 255)
    vectors = Samples(torch.randn(9, 3), torch.arange(9))
    assert torch.equal(next(batches(vectors, batch_size="all").in_order())[0], inputs_of(vectors))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_holds_the_same_pictures(channels: int) -> None:
    samples = numbered(channels=channels)
    options: dict[str, Any] = {
        "normalize": normalization_of([inputs_of(samples)]),
        "augment": ["horizontal_flip", {"crop": 1}],
    }
    plain = list(batches(samples, **options).epoch(0))
    last = list(batches(samples, channels_last=True, **options).epoch(0))
    for (inputs, _), (other, _) in zip(plain, last, strict=True):
        assert other.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(other, inputs)


def test_vectors_have_no_channels_to_put_last() -> None:
    vectors = Samples(torch.randn(9, 3), torch.arange(9))
    inputs, _ = next(batches(vectors, batch_size=9, channels_last=True).in_order())
    assert torch.equal(inputs, inputs_of(vectors))


def test_in_order_all_samples_come_as_they_are_stored() -> None:
    samples = numbered()
    loader = batches(samples, augment=EVERYTHING, drop_last=True)
    found = list(loader.in_order(batch_size=20))
    assert [len(targets) for _, targets in found] == [20, 20, 10]
    assert targets_of(found) == list(range(50))
    torch.testing.assert_close(torch.cat([inputs for inputs, _ in found]), inputs_of(samples) / 255)
    assert [len(targets) for _, targets in loader.in_order()] == [8] * 6 + [2]


def test_shifted_in_pixels_are_black_before_normalisation() -> None:
    white = Samples(torch.full((200, 3, 6, 6), 255, dtype=torch.uint8), torch.arange(200))
    normalize = Normalize(mean=[0.5, 0.25, 0.1], std=[0.5, 0.2, 0.1])
    loader = batches(white, normalize=normalize, augment=[{"crop": 3}], batch_size="all")
    inputs, _ = next(loader.epoch(0))
    for channel, (black, bright) in enumerate([(-1, 1), (-1.25, 3.75), (-1, 9)]):
        values = inputs[:, channel].flatten()
        assert torch.unique(values.mul(1000).round() / 1000).tolist() == [black, bright]


@pytest.mark.parametrize("normalize", [None, Normalize(mean=[0.5, 0.2, 0.1], std=[0.5, 0.2, 0.1])])
@pytest.mark.parametrize("is_stored_as_bytes", [True, False])
def test_levels_lead_from_normalised_images_to_pixels_and_back(
    normalize: Normalize | None, is_stored_as_bytes: bool
) -> None:
    stored = inputs_of(numbered())
    samples = Samples(stored if is_stored_as_bytes else stored / 255, torch.arange(50))
    loader = batches(samples, normalize=normalize, batch_size="all")
    inputs, _ = next(loader.in_order())
    pixels = loader.source.levels.pixels(inputs)
    torch.testing.assert_close(pixels, stored / 255, atol=1e-6, rtol=0)
    again = loader.source.levels.normalized(pixels)
    torch.testing.assert_close(again, inputs, atol=1e-5, rtol=0)


def test_pixels_darker_than_black_or_brighter_than_white_are_clipped() -> None:
    levels = Levels(black=torch.full((1, 1, 1), -2.0), white=torch.full((1, 1, 1), 2.0))
    pixels = levels.pixels(torch.tensor([-3.0, -2, -1, 2, 5]).view(5, 1, 1, 1))
    assert pixels.flatten().tolist() == [0, 0, 0.25, 1, 1]


def test_mixing_makes_probabilities_of_classes() -> None:
    loader = batches(augment=[{"mixup": {"p": 0.0}}])
    for _, targets in loader.epoch(0):
        assert targets.shape[1] == 50
        assert set(targets.flatten().tolist()) == {0.0, 1.0}
    found = torch.cat([targets for _, targets in loader.epoch(0)]).argmax(dim=1)
    assert found.tolist() == targets_of(batches().epoch(0))


def test_mixing_mixes_labels() -> None:
    labels = torch.tensor([[0.0, 1, 1], [1, 1, 0]])
    samples = replace(numbered(2), targets=labels)
    ((_, plain),) = batches(samples).epoch(0)
    ((_, mixed),) = batches(samples, augment=["mixup"]).epoch(0)
    # each has a share of itself, and the rest of the other
    shares = mixed[:, 0] if plain[0, 0] else 1 - mixed[:, 0]
    expected = shares[:, None] * plain[0] + (1 - shares[:, None]) * plain[1]
    torch.testing.assert_close(mixed, expected)
    assert 0 < mixed[0, 0] < 1


def test_probabilities_are_those_of_torch() -> None:
    classes = torch.tensor([2, 0, 1, 2])
    expected = torch.nn.functional.one_hot(classes, 3).float()
    assert torch.equal(probabilities(classes, classes=3), expected)


def prepared(**options: Any) -> Prepared:
    return prepare(DataSet.read(options), seed=0, root=Path("none"))


def loaders(data: Prepared, **options: Any) -> tuple[Batches, Batches]:
    """The batches of the training split, and those of the test split."""
    train, test = (
        (DeviceStore.of(data.data, split.samples, device=CPU, **options), split)
        for split in (data.splits.train, data.splits.test)
    )
    return training_batches(data.data, *train, seed=0), evaluation_batches(data.data, *test)


def test_target_values_come_normalised() -> None:
    data = prepared(name="diabetes")
    store = DeviceStore.of(data.data, data.splits.train.samples, device=CPU)
    train = evaluation_batches(data.data, store, data.splits.train)
    targets = torch.cat([targets for _, targets in train.in_order()])
    assert targets.mean().item() == pytest.approx(0, abs=1e-5)
    assert targets.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    undone = Preprocessing.of(data.data).undo(targets, name="target")
    torch.testing.assert_close(undone, data.splits.train.targets)


def test_several_targets_stand_side_by_side() -> None:
    data = prepared(name="digits")
    train, test = loaders(data, targets=("parity", "digit"))
    for loader in (train.epoch(0), test.in_order()):
        targets = torch.cat([targets for _, targets in loader])
        assert targets.dtype == torch.float32
        assert torch.equal(targets[:, 0], targets[:, 1] % 2)
    assert torch.equal(targets[:, 1].long(), data.splits.test.targets)


@pytest.mark.parametrize("kind", ["digits", "spirals", "diabetes"])
def test_a_prepared_data_set_becomes_batches(kind: str) -> None:
    data = prepared(name=kind, batch_size=32)
    train, test = loaders(data)
    inputs, targets = next(train.epoch(0))
    assert inputs.shape == (32, *data.data.describe().shape)
    assert len(train) == -(-len(data.splits.train) // 32)
    found = torch.cat([targets for _, targets in test.in_order()])
    in_own_units = Preprocessing.of(data.data).undo(found, name=data.data.whole().target)
    torch.testing.assert_close(in_own_units, data.splits.test.targets)
    assert targets.dtype == data.splits.test.targets.dtype


def test_signals_come_normalised_by_channel() -> None:
    train, _ = loaders(prepared(name="waveform", validation=0))
    inputs = torch.cat([inputs for inputs, _ in train.epoch(0)])
    assert inputs.shape == (1000, 1, 21)
    assert inputs.mean().item() == pytest.approx(0, abs=1e-5)
    assert inputs.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["digits", "waveform", "diabetes"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_batches_are_preprocessed_to_the_bit_as_single_samples_are(
    kind: str, channels_last: bool
) -> None:
    data = prepared(name=kind, size=12) if kind == "digits" else prepared(name=kind)
    preprocessing, test = Preprocessing.of(data.data), data.splits.test
    _, batches_of_test = loaders(data, channels_last=channels_last)
    inputs = torch.cat([inputs for inputs, _ in batches_of_test.in_order()])
    for row, sample in zip(inputs_of(test.samples), inputs, strict=True):
        assert torch.equal(preprocessing.inputs(row[None])[0], sample)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("augment", [[], EVERYTHING])
def test_mapped_rows_make_the_same_batches_to_the_bit(
    channels_last: bool, augment: list[str | dict[str, Any]], tmp_path: Path
) -> None:
    samples = numbered()
    mapped = replace(samples, inputs=MappedRows.write(inputs_of(samples), folder=tmp_path))
    options: dict[str, Any] = {
        "normalize": normalization_of([inputs_of(samples)]),
        "channels_last": channels_last,
        "augment": augment,
    }
    both = [batches(each, **options).epoch(3) for each in (samples, mapped)]
    for resident, from_file in zip(*both, strict=True):
        for one, other in zip(resident, from_file, strict=True):
            assert torch.equal(one, other)
            assert one.stride() == other.stride()


class Watched(MappedRows):
    """Rows that tell when those of a position are read, of which the last cannot be."""

    def read_at(self, position: int) -> threading.Event:
        self.position, self.is_read = position, threading.Event()
        return self.is_read

    def take(self, positions: Tensor) -> Tensor:
        if len(self) - 1 in positions:
            raise data_fault("the disk is gone", hint="", place="")
        if self.position in positions:
            self.is_read.set()
        return super().take(positions)


def test_mapped_rows_are_read_ahead_and_their_faults_come_where_they_are_used() -> None:
    samples, before = numbered(), threading.active_count()
    rows = Watched(inputs_of(samples).numpy())
    is_ahead = rows.read_at(8 * 2)
    found = batches(replace(samples, inputs=rows)).in_order()
    next(found)
    assert is_ahead.wait(timeout=60), "the third batch was not read while the first was used"
    for _ in range(5):
        next(found)
    with pytest.raises(FaultError, match="the disk is gone"):
        next(found)
    assert threading.active_count() == before


@pytest.mark.parametrize("channels_last", [False, True])
def test_signals_take_noise_and_mixup(channels_last: bool) -> None:
    signals = Samples(torch.randn(60, 2, 9) * 3 + 5, torch.arange(60))
    normalize = normalization_of([inputs_of(signals)])
    augment: list[str | dict[str, Any]] = [{"noise": 0.5}, {"mixup": {"p": 0.0}}]
    options: dict[str, Any] = {
        "batch_size": "all",
        "normalize": normalize,
        "channels_last": channels_last,
    }
    inputs, targets = next(batches(signals, augment=augment, **options).epoch(0))
    mean, std = (torch.tensor(part)[:, None] for part in (normalize.mean, normalize.std))
    plain = ((inputs_of(signals) - mean) / std)[targets.argmax(dim=1)]
    assert inputs.shape == (60, 2, 9)
    assert (inputs - plain).std().item() == pytest.approx(0.5, rel=0.1)
