"""Augmentations as code: transforms of torchvision, or a few lines for what it does not have."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from cnnctl.data.augmentations import (
    Augmentation,
    Mixing,
    boxes,
    colors,
    filters,
    mixing,
    places,
    policies,
    values,
    warps,
)
from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import Normalize
from cnnctl.errors import below, config_fault
from cnnctl.export.training_source.layout import Code, call, literal

BILINEAR = Code("v2.InterpolationMode.BILINEAR")
AUGMENT = '''
import torch
from torch import Tensor


def augment(images: Tensor) -> Tensor:
    """Change each image at random; (N, C, H, W) of pixels from 0 to 1."""
    return torch.stack([transform(image) for image in images])
'''
CUTOUT = '''

def cutout(image: Tensor, *, size: int, p: float, value: Tensor) -> Tensor:
    """Cover a random square, which may extend beyond the image (DeVries and Taylor 2017)."""
    if torch.rand(()) >= p:
        return image
    height, width = image.shape[1:]
    top, left = (int(torch.randint(side, ())) - size // 2 for side in (height, width))
    covered = image.clone()
    covered[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = value
    return covered


'''


def augmenting_source(data: DataSet) -> tuple[str, str]:
    """`transform` for images, and `augment(inputs)`; empty without augmentation.

    Raises:
        FaultError: an augmentation cannot be written.
    """
    found = list[str]()
    for index, each in enumerate(data.augment):
        with below("data", "augment", index):
            if isinstance(each, values.Noise) and not data.has_pixels:
                found.append(f"inputs + {each.std!r} * torch.randn_like(inputs)")
            elif not isinstance(each, Mixing):
                found.append(transform_source(each, data))
    if not found:
        return "", ""
    return _for_images(found) if data.has_pixels else _for_numbers(found)


def _for_images(transforms: list[str]) -> tuple[str, str]:
    built = transforms[0] if len(transforms) == 1 else f"v2.Compose([{', '.join(transforms)}])"
    imports = "from functools import partial\n\nfrom torchvision.transforms import v2\n"
    return f"{imports}{CUTOUT if 'cutout' in built else ''}transform = {built}", AUGMENT


def _for_numbers(noises: list[str]) -> tuple[str, str]:
    lines = "".join(f"    inputs = {noise}\n" for noise in noises)
    code = f'''\
import torch
from torch import Tensor


def augment(inputs: Tensor) -> Tensor:
    """Add noise to each number."""
{lines}    return inputs
'''
    return "", code


@singledispatch
def transform_source(augmentation: Augmentation, data: DataSet) -> str:
    """The transform that does the same to an image (C, H, W) of pixels from 0 to 1."""
    message = f"a training script lacks the augmentation {augmentation.kind}"
    raise config_fault(message, hint="leave it out, or leave out --training")


def _side(data: DataSet) -> tuple[int, ...]:
    return data.whole().shape[1:]


@transform_source.register(places.HorizontalFlip)
@transform_source.register(places.VerticalFlip)
def _(augmentation: places.Flip, data: DataSet) -> str:
    if augmentation.alternating:
        message = "a training script cannot alternate flips from epoch to epoch"
        hint = "leave it out, or leave out --training"
        raise config_fault(message, hint=hint, path=("alternating",))
    return call(f"v2.Random{type(augmentation).__name__}", p=augmentation.p)


@transform_source.register
def _(augmentation: places.Crop, data: DataSet) -> str:
    options: dict[str, Any] = {"padding": augmentation.padding}
    if augmentation.padding_mode == "reflect":
        options["padding_mode"] = "reflect"
    return call("v2.RandomCrop", literal(_side(data)), **options)


@transform_source.register
def _(augmentation: warps.Rotation, data: DataSet) -> str:
    return call("v2.RandomRotation", repr(augmentation.degrees), interpolation=BILINEAR)


@transform_source.register
def _(augmentation: warps.Affine, data: DataSet) -> str:
    options: dict[str, Any] = {"degrees": augmentation.degrees}
    if any(augmentation.translate):
        options["translate"] = tuple(augmentation.translate)
    if augmentation.scale != (1.0, 1.0):
        options["scale"] = tuple(augmentation.scale)
    if augmentation.shear:
        options["shear"] = augmentation.shear
    return call("v2.RandomAffine", **options, interpolation=BILINEAR)


@transform_source.register
def _(augmentation: warps.Perspective, data: DataSet) -> str:
    return call("v2.RandomPerspective", **augmentation.model_dump())


@transform_source.register
def _(augmentation: warps.RandomResizedCrop, data: DataSet) -> str:
    options = {"scale": tuple(augmentation.scale), "ratio": tuple(augmentation.ratio)}
    return call("v2.RandomResizedCrop", literal(_side(data)), **options, antialias=False)


@transform_source.register(colors.Saturation)
@transform_source.register(colors.Hue)
@transform_source.register(colors.ColorJitter)
def _(augmentation: Augmentation, data: DataSet) -> str:
    options = {name: value for name, value in augmentation.model_dump().items() if value}
    return call("v2.ColorJitter", **options)


@transform_source.register
def _(augmentation: colors.Grayscale, data: DataSet) -> str:
    return call("v2.RandomGrayscale", p=augmentation.p)


@transform_source.register
def _(augmentation: filters.GaussianBlur, data: DataSet) -> str:
    blur = call("v2.GaussianBlur", repr(augmentation.kernel_size), sigma=tuple(augmentation.sigma))
    return blur if augmentation.p == 1 else f"v2.RandomApply([{blur}], p={augmentation.p!r})"


@transform_source.register(policies.RandAugment)
@transform_source.register(policies.TrivialAugmentWide)
@transform_source.register(policies.AugMix)
def _(augmentation: Augmentation, data: DataSet) -> str:
    options = augmentation.model_dump()
    mode = Code(f"v2.InterpolationMode.{options.pop('interpolation').upper()}")
    return call(f"v2.{type(augmentation).__name__}", **options, interpolation=mode)


@transform_source.register
def _(augmentation: boxes.RandomErasing, data: DataSet) -> str:
    if augmentation.value == "random":
        message = "a training script cannot draw the pixels of random_erasing"
        raise config_fault(message, hint="use a number", path=("value",))
    mean, std = _statistics(data)
    value = [m + augmentation.value * s for m, s in zip(mean, std, strict=True)]
    options = {"scale": tuple(augmentation.scale), "ratio": tuple(augmentation.ratio)}
    return call("v2.RandomErasing", p=augmentation.p, **options, value=value)


@transform_source.register
def _(augmentation: boxes.Cutout, data: DataSet) -> str:
    options = {"size": augmentation.size, "p": augmentation.p}
    value = Code(_column(_statistics(data)[0]))
    return call("partial", "cutout", **options, value=value)


@transform_source.register
def _(augmentation: values.Brightness, data: DataSet) -> str:
    factor = _factor(augmentation.brightness)
    return f"v2.Lambda(lambda image: image * {factor})"


@transform_source.register
def _(augmentation: values.Contrast, data: DataSet) -> str:
    mean = "image.mean(dim=(1, 2), keepdim=True)"
    return f"v2.Lambda(lambda image: torch.lerp({mean}, image, {_factor(augmentation.contrast)}))"


@transform_source.register
def _(augmentation: values.Noise, data: DataSet) -> str:
    spread = _column([augmentation.std * each for each in _statistics(data)[1]])
    return f"v2.Lambda(lambda image: image + {spread} * torch.randn_like(image))"


def _factor(deviation: float) -> str:
    low, high = max(0.0, 1 - deviation), 1 + deviation
    return f"float(torch.empty(()).uniform_({low!r}, {high!r}))"


def _column(numbers: list[float]) -> str:
    """A number for each channel, (C, 1, 1), or the only one."""
    return (
        repr(numbers[0])
        if len(numbers) == 1
        else f"torch.tensor({numbers}, device=DEVICE).view(-1, 1, 1)"
    )


def _statistics(data: DataSet) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels from 0 to 1."""
    channels = data.whole().shape[0]
    if isinstance(data.normalize, Normalize):
        return data.normalize.mean, data.normalize.std
    return [0.0] * channels, [1.0] * channels


MIXING = '''
def shares(samples: int, *, alpha: float, p: float) -> Tensor:
    """The share that each sample keeps: Beta(alpha, alpha), or 1 where it is not mixed."""
    drawn = torch.distributions.Beta(alpha, alpha).sample((samples,))
    return torch.where(torch.rand(samples) < p, drawn, 1.0).to(DEVICE)


def blend(values: Tensor, share: Tensor) -> Tensor:
    """Blend each sample with the one before it."""
    return torch.lerp(values.roll(1, dims=0), values, share.view(-1, *[1] * (values.ndim - 1)))
'''
MIXUP = '''
def mixup(inputs: Tensor, targets: Tensor, *, alpha: float, p: float) -> tuple[Tensor, Tensor]:
    """Blend each sample with another one (Zhang et al. 2017)."""
    share = shares(len(inputs), alpha=alpha, p=p)
    return blend(inputs, share), blend(targets, share)
'''
CUTMIX = '''
def cutmix(inputs: Tensor, targets: Tensor, *, alpha: float, p: float) -> tuple[Tensor, Tensor]:
    """Paste a box of another image into each one (Yun et al. 2019)."""
    (count, _, *sides), mixed = inputs.shape, inputs.clone()
    kept = shares(count, alpha=alpha, p=p)
    share = torch.ones_like(kept)
    for index, reach in enumerate((1 - kept).sqrt().tolist()):
        middles = [float(torch.randint(side, ())) for side in sides]
        (top, bottom), (left, right) = (
            [min(max(round(m + sign * reach * side / 2), 0), side) for sign in (-1, 1)]
            for m, side in zip(middles, sides)
        )
        mixed[index, :, top:bottom, left:right] = inputs[index - 1, :, top:bottom, left:right]
        share[index] -= (bottom - top) * (right - left) / (sides[0] * sides[1])
    return mixed, blend(targets, share)
'''


def mixing_source(data: DataSet) -> tuple[str, list[str]]:
    """Functions that mix a batch, and the lines that apply them to `images` and `targets`."""
    given = [each for each in data.augment if isinstance(each, Mixing)]
    kinds: dict[type[Mixing], str] = {mixing.Mixup: MIXUP, mixing.CutMix: CUTMIX}
    code, lines = list[str](), list[str]()
    for index, each in enumerate(data.augment):
        if not isinstance(each, Mixing):
            continue
        if type(each) not in kinds:
            message = f"a training script lacks the augmentation {each.kind}"
            hint = "leave it out, or leave out --training"
            raise config_fault(message, hint=hint, path=("data", "augment", index))
        code.append(kinds[type(each)])
        options = each.model_dump()
        name = type(each).__name__.lower()
        lines.append(f"x, y = {call(name, 'x', 'y', **options)}")
    if not given:
        return "", []
    head = "import torch\nfrom torch import Tensor\n\n"
    return head + "\n\n".join([MIXING, *dict.fromkeys(code)]), lines
