"""Pictures that are nearly identical are found, and others are not."""

import io
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from cnnctl.data.pictures import similarity
from cnnctl.data.pictures.similarity import Fingerprints, difference_hashes, most_alike


def photo(seed: int, *, side: int = 96) -> Image.Image:
    """A picture with the smooth and the sharp parts of a photo: blurred noise, and some boxes."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    for _ in range(4):
        left, top = random.integers(0, side // 2, 2).tolist()
        colour = tuple(random.integers(0, 256, 3).tolist())
        image.paste(colour, (left, top, left + side // 4, top + side // 5))
    return image.filter(ImageFilter.GaussianBlur(1))


def prints(*images: Image.Image) -> Fingerprints:
    return Fingerprints.of(tensor(image) for image in images)


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)[None]


def saved(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


COPIES = {
    "JPEG": lambda image: saved(image, 50),
    "half": lambda image: image.resize((48, 48), Image.Resampling.BILINEAR),
    "double": lambda image: image.resize((192, 192), Image.Resampling.LANCZOS),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_that_was_saved_again_is_found(change: str) -> None:
    images = [photo(seed) for seed in range(20)]
    found = most_alike(prints(*images, *map(COPIES[change], images)))
    assert [(pair.at, pair.like) for pair in found] == [(20 + n, n) for n in range(20)]
    assert all(pair.likeness > 0.96 for pair in found)


def test_different_pictures_are_not_taken_for_copies() -> None:
    """Not even if they share their background, as those of one class often do."""
    background = photo(0)
    alike = [Image.blend(background, photo(seed), 0.5) for seed in range(1, 200)]
    assert not most_alike(prints(*(photo(seed) for seed in range(300))))
    assert not most_alike(prints(*alike))


def test_strokes_that_are_alike_are_not_taken_for_copies() -> None:
    def stroke(angle: float) -> Image.Image:
        image = Image.new("L", (28, 28))
        image.paste(255, (12, 4, 16, 24))
        return image.rotate(angle, Image.Resampling.BILINEAR)

    assert not most_alike(prints(*(stroke(angle) for angle in range(-40, 40, 4))))


def test_pictures_of_one_colour_are_not_compared() -> None:
    noise = np.random.default_rng(0)
    flat = [
        Image.fromarray((128 + noise.integers(-2, 3, (64, 64, 3))).astype(np.uint8))
        for _ in range(20)
    ]
    assert not most_alike(prints(*flat, Image.new("RGB", (64, 64), "white")))


def test_the_most_similar_earlier_picture_of_a_lower_part_is_named() -> None:
    image = photo(1)
    images = [saved(image, 30), image, image, photo(2)]
    pairs = most_alike(prints(*images), np.array([0, 0, 1, 1]))
    assert [(pair.at, pair.like) for pair in pairs] == [(2, 1)]
    pairs = most_alike(prints(*images), np.array([1, 0, 0, 0]))
    assert [(pair.at, pair.like) for pair in pairs] == [(0, 1)]
    assert not most_alike(prints(*images), np.zeros(4, np.int64))


def test_a_hash_is_that_of_a_thumbnail_by_pillow() -> None:
    images = [photo(seed, side=72) for seed in range(30)]
    for image in images:
        grey = np.asarray(image, np.float64) @ (0.299, 0.587, 0.114)
        small = Image.fromarray(grey.astype(np.float32)).resize((9, 8), Image.Resampling.BOX)
        steps = np.diff(np.asarray(small), axis=1)
        if np.abs(np.abs(steps) - similarity.MARGIN).min() < 0.01:
            continue  # rounding decides
        [hashed], [details] = difference_hashes(tensor(image))
        assert int(hashed).bit_count() == (steps > similarity.MARGIN).sum()
        assert details == (np.abs(steps) > similarity.MARGIN).sum()


def test_a_likeness_is_numpys_correlation() -> None:
    image = photo(3)
    other = saved(image, 20)
    [pair] = most_alike(prints(image, other))
    small = [
        np.asarray(each.convert("RGB").resize((16, 16), Image.Resampling.BOX)).ravel()
        for each in (image, other)
    ]
    assert pair.likeness == pytest.approx(np.corrcoef(small[0], small[1])[0, 1], abs=1e-3)


def brute_force(hashes: NDArray[np.uint64]) -> set[tuple[int, int]]:
    return {
        (one, two)
        for two in range(len(hashes))
        for one in range(two)
        if int(hashes[one] ^ hashes[two]).bit_count() <= similarity.FARTHEST
    }


@given(
    seed=st.integers(0, 10**6),
    flips=st.lists(st.lists(st.integers(0, 63), max_size=9), min_size=1, max_size=30),
)
def test_every_pair_of_close_hashes_is_compared(seed: int, flips: list[list[int]]) -> None:
    first = int(np.random.default_rng(seed).integers(0, 2**64, dtype=np.uint64))
    changed = [first ^ sum(1 << bit for bit in set(bits)) for bits in flips]
    hashes = np.array([first, *changed], dtype=np.uint64)
    found = {
        (min(pair), max(pair))
        for some, others in similarity._close(hashes)
        for pair in zip(some.tolist(), others.tolist(), strict=True)
    }
    assert found == brute_force(hashes)


def test_the_frames_of_a_film_are_found_however_many_there_are() -> None:
    """More of them share a bucket than are compared with each other."""
    random = np.random.default_rng(0)
    scenes = [np.asarray(photo(seed, side=32), np.int16) for seed in range(3)]
    frames = [scenes[at % 3] + random.integers(-3, 4, scenes[0].shape) for at in range(1500)]
    images = np.stack(frames).clip(0, 255).astype(np.uint8).transpose(0, 3, 1, 2)
    many = Fingerprints.of([torch.from_numpy(images)])
    parts = (random.random(1500) < 0.2).astype(np.int64)
    found = most_alike(many, parts)
    assert len(found) > 0.95 * parts.sum()
    assert all(pair.at % 3 == pair.like % 3 for pair in found)


def test_memory_does_not_grow_with_the_square_of_the_pictures() -> None:
    random = np.random.default_rng(0)
    count = 20_000
    hashes = random.integers(0, 2**64, count, dtype=np.uint64)
    thumbnails = random.integers(0, 256, (count, 768), dtype=np.uint8)
    many = Fingerprints(hashes, np.full(count, 64), thumbnails)
    tracemalloc.start()
    assert not most_alike(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 2**20  # that of all pairs is 400 million


def test_pictures_of_floating_point_numbers_and_of_one_channel_have_prints() -> None:
    image = tensor(photo(4))
    [hashed], _ = difference_hashes(image)
    low, high = float(image.min()), float(image.max())
    [same], _ = difference_hashes((image.float() - low) / (high - low))
    assert int(hashed ^ same).bit_count() <= 4
    assert len(Fingerprints.of([image[:, :1], image[:, :2], image])) == 3
    assert not most_alike(Fingerprints.of([]))
