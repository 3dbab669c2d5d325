"""RandAugment, TrivialAugment and AugMix, against torchvision's."""

from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms import v2

from cnnctl.data.augmentations import Augmentation, policies
from cnnctl.data.augmentations.operations import Operation, change_by_one
from cnnctl.data.augmentations.policies import AugMix, RandAugment, TrivialAugmentWide
from cnnctl.errors import FaultError
from tests.data.augmentations.conftest import augment, levels_of, normalized, random_bytes

HEIGHT, WIDTH = 20, 16
THEIRS = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "auto_contrast": "AutoContrast",
    "equalize": "Equalize",
}
ON_BYTES = ("posterize", "solarize", "equalize")
"""Operations that torchvision does in another way on floating-point numbers, or at thresholds."""

Policy = tuple[dict[str, Operation], dict[str, Any], int]


def rand_augment(**options: Any) -> Policy:
    ours = RandAugment(**options).among(HEIGHT, WIDTH)
    return ours, v2.RandAugment._AUGMENTATION_SPACE, 31


def trivial_augment(**options: Any) -> Policy:
    ours = TrivialAugmentWide(**options).among()
    return ours, v2.TrivialAugmentWide._AUGMENTATION_SPACE, 31


def aug_mix(**options: Any) -> Policy:
    ours = AugMix(**options).among(HEIGHT, WIDTH)
    theirs = AugMix(**options).all_ops
    name = "_AUGMENTATION_SPACE" if theirs else "_PARTIAL_AUGMENTATION_SPACE"
    return ours, getattr(v2.AugMix, name), 10


def theirs(image: Tensor, name: str, magnitude: float, interpolation: str = "bilinear") -> Tensor:
    """An image (C, H, W) uint8 as torchvision changes it, from 0 to 1."""
    on_bytes = name in ON_BYTES
    policy = v2.RandAugment(interpolation=v2.InterpolationMode(interpolation))
    out: Tensor = policy._apply_image_or_video_transform(
        image if on_bytes else image / 255,
        THEIRS[name],
        magnitude,
        interpolation=policy.interpolation,
        fill=policy._fill,
    )
    return out / 255 if on_bytes else out


def magnitudes(space: dict[str, Any], name: str, bins: int) -> list[float]:
    """The magnitudes of an operation without their signs, weakest first.

    Errors of rounding in torchvision's table decide nothing here: of 16 pixels it makes 15.999999,
    which it cuts to 15, and a threshold of 51 bytes is 51.000004, which byte 51 does not reach.
    """
    nudge = {"translate_x": 1e-5, "translate_y": 1e-5, "solarize": -1e-5}.get(name, 0.0)
    table, _ = space[THEIRS[name]]
    found = table(bins, HEIGHT, WIDTH)
    return [0.0] * bins if found is None else [float(each) + nudge for each in found]


@pytest.mark.parametrize(
    "policy", [rand_augment(), trivial_augment(), aug_mix(), aug_mix(all_ops=False)]
)
def test_operations_and_magnitudes_are_those_of_torchvision(policy: Policy) -> None:
    ours, space, bins = policy
    assert {THEIRS[name] for name in ours} == set(space)
    levels, positive = torch.arange(bins), torch.zeros(bins, dtype=torch.bool)
    for name, operation in ours.items():
        found = operation.amounts(levels, bins=bins, negative=positive)
        found = found.round() if name == "posterize" else found
        expected = torch.tensor(magnitudes(space, name, bins))
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
        if name.startswith("translate"):
            assert torch.equal(found.trunc(), expected.trunc())
        assert operation.is_signed == space[THEIRS[name]][1]
        negative = operation.amounts(levels, bins=bins, negative=~positive)
        sign = -1 if operation.is_signed else 1
        torch.testing.assert_close(
            negative, sign * operation.amounts(levels, bins=bins, negative=positive)
        )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", THEIRS)
def test_every_operation_is_torchvisions(name: str, channels: int) -> None:
    ours, space, bins = trivial_augment(interpolation="bilinear")
    levels = torch.tensor([0, 3, 11, 17, 24, 30])
    known = magnitudes(space, name, bins)
    images = random_bytes(6, channels=channels, height=HEIGHT, width=WIDTH)
    for negative in (False, True):
        sign = -1 if negative and ours[name].is_signed else 1
        amounts = ours[name].amounts(levels, bins=bins, negative=torch.tensor([negative] * 6))
        found = ours[name].change(images / 255, amounts)
        for image, out, level in zip(images, found, levels.tolist(), strict=True):
            expected = theirs(image, name, sign * known[level])
            torch.testing.assert_close(out, expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", ["shear_x", "shear_y", "translate_x", "translate_y", "rotate"])
def test_the_nearest_pixel_is_torchvisions(name: str) -> None:
    ours, _, bins = rand_augment()
    levels = torch.tensor([0, 3, 11, 17, 24, 30])
    images = random_bytes(6, height=HEIGHT, width=WIDTH)
    amounts = ours[name].amounts(levels, bins=bins, negative=torch.zeros(6, dtype=torch.bool))
    found = ours[name].change(images / 255, amounts)
    for image, out, amount in zip(images, found, amounts.tolist(), strict=True):
        is_equal = torch.isclose(out, theirs(image, name, amount, "nearest"), atol=1e-6)
        assert is_equal.float().mean() > 0.98  # two pixels may be equally near


@pytest.mark.parametrize("channels", [1, 3])
def test_flat_channels_are_neither_stretched_nor_equalized(channels: int) -> None:
    ours, _, _ = rand_augment()
    flat = torch.full((2, channels, 9, 9), 0.4)
    nearly = flat + torch.rand(flat.shape, generator=Generator().manual_seed(0)) * 1e-6
    for name in ("auto_contrast", "equalize"):
        for pixels in (flat, nearly):
            changed = ours[name].change(pixels, torch.zeros(2))
            # a histogram counts bytes
            torch.testing.assert_close(changed, pixels, atol=0.5 / 255, rtol=0)


def writing(number: int) -> Operation:
    """Writes a number and its amount into the two pixels of an image."""

    def change(pixels: Tensor, amount: Tensor) -> Tensor:
        numbers = torch.full_like(amount, number)
        return torch.stack([pixels[:, 0, 0, 0] + numbers, amount], dim=1)[:, None, None]

    return Operation(change, highest=30, is_signed=True)


def test_every_operation_changes_an_equal_part_at_the_levels_of_its_images() -> None:
    levels = torch.arange(713) % 31
    images = torch.arange(713.0).mul(100).view(713, 1, 1, 1).repeat(1, 1, 1, 2)
    before = images[:, 0, 0, 0].clone()
    change_by_one(
        images,
        torch.arange(700),  # 13 are spare
        [writing(number) for number in range(14)],
        levels=levels,
        bins=31,
        generator=Generator().manual_seed(0),
    )
    numbers, amounts = (images[:700, 0, 0] - torch.stack([before[:700], 0 * before[:700]], 1)).T
    assert torch.bincount(numbers.long()).tolist() == [50] * 14
    assert torch.equal(amounts.abs(), levels[:700].float())
    assert abs(int((amounts < 0).sum()) - 340) < 70  # five standard deviations


def test_only_the_rows_that_are_named_change() -> None:
    images, rows = torch.full((21, 1, 1, 2), -1.0), torch.tensor([3, 5, 8, 13, 2])
    change_by_one(
        images,
        rows,
        [writing(number) for number in range(4)],
        levels=torch.zeros(21),
        bins=2,
        generator=Generator().manual_seed(0),
    )
    untouched = (images == -1).all(dim=3).flatten()[:18]
    assert untouched.nonzero().flatten().tolist() == sorted({*range(18)} - {*rows.tolist()})


@pytest.mark.parametrize("count", [1, 6])
def test_a_small_batch_draws_from_all_operations(count: int) -> None:
    def drawn(seed: int) -> Tensor:
        images = torch.zeros(count + 3, 1, 1, 2)
        change_by_one(
            images,
            torch.arange(count),
            [writing(number) for number in range(4)],
            levels=torch.zeros(count + 3),
            bins=2,
            generator=Generator().manual_seed(seed),
        )
        return images[:count, 0, 0, 0].long()

    found = torch.stack([drawn(seed) for seed in range(200)])
    for place in range(count):
        counts = torch.bincount(found[:, place], minlength=4)
        assert (counts - 50).abs().max() < 31  # five standard deviations


def possible(image: Tensor, policy: Policy, levels: range) -> tuple[list[str], Tensor]:
    """All that torchvision may make of an image: the operations, and (M, C, H, W)."""
    ours, space, bins = policy
    names, outcomes = [], []
    for name in ours:
        for level in levels if any(magnitudes(space, name, bins)) else levels[:1]:
            for sign in (1, -1) if space[THEIRS[name]][1] else (1,):
                names.append(name)
                outcomes.append(theirs(image, name, sign * magnitudes(space, name, bins)[level]))
    return names, torch.stack(outcomes)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("magnitude", [9, 30])
def test_rand_augment_makes_what_torchvision_may_make(magnitude: int, channels: int) -> None:
    image = random_bytes(1, channels=channels, height=HEIGHT, width=WIDTH)
    options = {"num_ops": 1, "magnitude": magnitude, "interpolation": "bilinear"}
    found = augment({"rand_augment": options}, normalized(image).repeat(140, 1, 1, 1))
    pixels = levels_of(image).pixels(found)
    names, outcomes = possible(image[0], rand_augment(), range(magnitude, magnitude + 1))
    distance = torch.cdist(pixels.flatten(1), outcomes.flatten(1), p=torch.inf)
    assert distance.amin(dim=1).max() < 1e-3
    drawn = {names[index] for index in distance.argmin(dim=1).tolist()}
    # without colours, some operations have the same outcome
    assert drawn == set(THEIRS) or (channels == 1 and len(drawn) >= 12)


def test_two_operations_follow_each_other() -> None:
    image = random_bytes(1, channels=1, height=HEIGHT, width=WIDTH)
    options = {"num_ops": 2, "interpolation": "bilinear"}
    found = augment({"rand_augment": options}, normalized(image).repeat(42, 1, 1, 1))
    _, once = possible(image[0], rand_augment(), range(9, 10))
    second = [
        possible(first.mul(255).round().byte(), rand_augment(), range(9, 10))[1] for first in once
    ]
    outcomes = torch.cat(second).flatten(1)
    distance = torch.cdist(levels_of(image).pixels(found).flatten(1), outcomes)
    # of rounding in between
    assert distance.amin(dim=1).div((HEIGHT * WIDTH) ** 0.5).max() < 0.05


def test_trivial_augment_makes_what_torchvision_may_make() -> None:
    image = random_bytes(1, height=HEIGHT, width=WIDTH)
    written = {"trivial_augment_wide": {"interpolation": "bilinear"}}
    found = augment(written, normalized(image).repeat(280, 1, 1, 1))
    names, outcomes = possible(image[0], trivial_augment(), range(31))
    pixels = levels_of(image).pixels(found)
    distance = torch.cdist(pixels.flatten(1), outcomes.flatten(1), p=torch.inf)
    assert distance.amin(dim=1).max() < 1e-3
    assert {names[index] for index in distance.argmin(dim=1).tolist()} == set(THEIRS)
    assert len(set(distance.argmin(dim=1).tolist())) > 150


@pytest.mark.parametrize("all_ops", [True, False])
def test_aug_mix_blends_with_what_torchvision_may_make(all_ops: bool) -> None:
    image = random_bytes(1, height=HEIGHT, width=WIDTH)
    options = {"mixture_width": 1, "chain_depth": 1, "severity": 4, "all_ops": all_ops}
    count = 400
    found = augment({"aug_mix": options}, normalized(image).repeat(count, 1, 1, 1))
    pixels = levels_of(image).pixels(found).flatten(1)
    own = (image / 255).flatten()
    _, outcomes = possible(image[0], aug_mix(all_ops=all_ops), range(4))
    ways = outcomes.flatten(1) - own
    ways = ways[ways.abs().amax(dim=1) > 1e-3]  # those that change something
    share = ((pixels - own) @ ways.T) / ways.square().sum(dim=1)
    rest = ((pixels - own)[:, None] - share[..., None] * ways).abs().amax(dim=2)
    rest, nearest = rest.masked_fill((share < -1e-3) | (share > 1.001), torch.inf).min(dim=1)
    assert rest.max() < 1e-3
    if not all_ops:  # no operation is a stronger version of another one
        moved = (pixels - own).abs().amax(dim=1) > 1e-3
        shares = share.gather(1, nearest[:, None])[moved, 0]
        # of the uniform distribution, which is Beta(1, 1): five standard errors
        assert shares.mean().item() == pytest.approx(0.5, abs=0.08)
        assert shares.var().item() == pytest.approx(1 / 12, abs=0.02)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"mixture_width": 1}, {1, 2, 3}), ({"mixture_width": 4, "chain_depth": 4}, {4})],
    ids=str,
)
def test_chains_are_as_long_as_they_are_drawn(
    options: dict[str, Any], expected: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(images: Tensor, rows: Tensor, *_: Any, **__: Any) -> None:
        images[rows] += 1

    monkeypatch.setattr(policies, "change_by_one", counted)
    black = levels_of(torch.zeros(1, 1)).black.expand(3000, 1, 4, 4)
    # with so large an alpha, half of the mixture is of the chains
    out = augment({"aug_mix": {"alpha": 1000.0, **options}}, black)
    levels = levels_of(out)
    depths = 2 * ((out - levels.black) / (levels.white - levels.black))[:, 0, 0, 0]
    lengths = depths.round().long()
    assert (depths - lengths).abs().max() < 0.4
    assert set(lengths.tolist()) == expected
    counts = torch.bincount(lengths)[min(expected) :]
    assert (counts - 3000 / len(expected)).abs().max() < 140  # five standard deviations


@pytest.mark.parametrize(
    "written", [{"rand_augment": {"num_ops": 0}}, {"aug_mix": {"mixture_width": 1, "alpha": 0.01}}]
)
def test_without_operations_an_image_stays_as_it_is(written: dict[str, Any]) -> None:
    inputs = normalized(random_bytes(64))
    out = augment(written, inputs)
    is_same = (out - inputs).abs().flatten(1).amax(dim=1) < 1e-4
    if "rand_augment" in written:
        assert is_same.all()
    else:  # shares are nearly all or nothing
        assert 16 < int(is_same.sum()) < 60


def test_a_magnitude_beyond_the_last_is_a_fault() -> None:
    Augmentation.read({"rand_augment": 30}).check((1, 8, 8))
    with pytest.raises(FaultError) as error:
        Augmentation.read({"rand_augment": 31}).check((1, 8, 8))
    (fault,) = error.value.faults
    assert fault.message == "31 is not among the 31 magnitudes"
    assert fault.hint == "use a magnitude <= 30, or more num_magnitude_bins"
    assert fault.path == ("magnitude",)


@pytest.mark.parametrize("kind", ["rand_augment", "trivial_augment_wide", "aug_mix"])
def test_channels_without_a_meaning_are_a_fault(kind: str) -> None:
    with pytest.raises(FaultError, match=f"{kind} needs grey images or colours") as error:
        Augmentation.read(kind).check((4, 8, 8))
    assert error.value.faults[0].hint == "leave it out"
