"""What every augmentation keeps, whichever it is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cnnctl.data import augmentation
from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation, Mixing
from cnnctl.data.normalization import Levels
from cnnctl.errors import FaultError

Written = str | dict[str, Any]

OPTIONS: dict[str, list[Any]] = {
    "crop": [3, {"padding": 2, "padding_mode": "reflect"}],
    "cutout": [5],
    "rotation": [30],
    "affine": [{"degrees": 10, "translate": [0.1, 0.2], "scale": [0.8, 1.2], "shear": 10}],
    "brightness": [0.4],
    "contrast": [0.4],
    "noise": [0.3],
    "mixup": [0.4, {"p": 0.5}],
    "cutmix": [1.0],
    "gaussian_blur": [5, {"kernel_size": 3, "p": 0.5}],
    "hue": [0.2],
    "saturation": [0.5],
    "color_jitter": [{"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}],
    "grayscale": [0.5],
    "random_erasing": [0.5, {"value": "random"}],
}
WRITTEN: list[Written] = [
    written
    for kind in Augmentation.kinds
    for written in ([{kind: options} for options in OPTIONS[kind]] if kind in OPTIONS else [kind])
]
LEVELS = Levels(
    black=torch.tensor([-1.0, -0.5, -2.0]).view(3, 1, 1),
    white=torch.tensor([2.0, 1.0, 1.5]).view(3, 1, 1),
)
GREY = Levels(black=torch.zeros(1, 1, 1), white=torch.ones(1, 1, 1))
CLASSES = 4

OF_TWO_KINDS = ("horizontal_flip", "vertical_flip", "grayscale")
"""What leaves an image as it is, or changes it in one way."""

everyone = pytest.mark.parametrize("written", WRITTEN, ids=str)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def batch(count: int = 64, *, channels: int = 3) -> tuple[Tensor, Tensor]:
    images = torch.randn(count, channels, 12, 10, generator=seeded(1))
    return images, torch.eye(CLASSES)[torch.arange(count) % CLASSES]


def of(inputs: Tensor, levels: Levels, generator: Generator) -> Context:
    return Context(levels, generator, torch.arange(len(inputs)))


def apply(
    written: Written, inputs: Tensor, targets: Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    augmentation = Augmentation.read(written)
    if isinstance(augmentation, Mixing):
        return augmentation.mix(inputs, targets, generator=generator)
    assert isinstance(augmentation, InputAugmentation)
    return augmentation.augment(inputs, of(inputs, LEVELS, generator)), targets


def test_what_a_sample_keeps_is_drawn_by_split_mix() -> None:
    # https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    words = augmentation.split_mix(torch.arange(3), seed=1234567)
    assert [word % 2**64 for word in words.tolist()] == published
    context = Context(LEVELS, seeded(), torch.tensor([2, 0]), seed=1234560)
    drawn = [published[row] / 2**64 for row in (2, 0)]
    assert context.drawn_once(salt=7).tolist() == pytest.approx(drawn, abs=1e-7)


def test_all_the_augmentations_are_there() -> None:
    places = {"horizontal_flip", "vertical_flip", "crop", "rotation", "affine", "cutout"}
    assert places | {"brightness", "contrast", "noise", "mixup", "cutmix"} <= set(
        Augmentation.kinds
    )


@everyone
def test_shapes_and_types_stay(written: Written) -> None:
    inputs, targets = batch()
    out, out_targets = apply(written, inputs, targets, seeded())
    assert (out.shape, out.dtype) == (inputs.shape, torch.float32)
    assert (out_targets.shape, out_targets.dtype) == (targets.shape, torch.float32)


@everyone
def test_the_generator_decides_everything(written: Written) -> None:
    inputs, targets = batch()
    torch.manual_seed(1)
    first, first_targets = apply(written, inputs, targets, seeded(7))
    torch.manual_seed(2)
    again, again_targets = apply(written, inputs, targets, seeded(7))
    assert torch.equal(first, again)
    assert torch.equal(first_targets, again_targets)
    assert not torch.equal(first, apply(written, inputs, targets, seeded(8))[0])


@everyone
def test_the_batch_that_comes_in_is_left_as_it_is(written: Written) -> None:
    inputs, targets = batch()
    apply(written, inputs, targets, seeded())
    assert torch.equal(inputs, batch()[0])
    assert torch.equal(targets, batch()[1])


@everyone
def test_every_sample_has_a_draw_of_its_own(written: Written) -> None:
    inputs, targets = batch()
    same = inputs[:1].expand_as(inputs)
    if isinstance(Augmentation.read(written), Mixing):
        # mixed with nothing, each shows its share
        same = (torch.arange(64) % 2).view(-1, 1, 1, 1).expand_as(inputs).float()
    out, _ = apply(written, same, targets, seeded())
    different = {tuple(image.flatten().tolist()) for image in out}
    assert len(different) > (1 if Augmentation.read(written).kind in OF_TWO_KINDS else 2)


@everyone
@pytest.mark.parametrize(
    "laid_out",
    [
        lambda images: images.contiguous(memory_format=torch.channels_last),
        lambda images: images.transpose(2, 3).contiguous().transpose(2, 3),
        lambda images: images.flip(0).flip(0)[:, :, :, torch.arange(10)],
    ],
    ids=["channels_last", "columns_first", "copied"],
)
def test_pictures_do_not_depend_on_how_they_lie_in_memory(
    written: Written, laid_out: Callable[[Tensor], Tensor]
) -> None:
    inputs, targets = batch()
    plain, plain_targets = apply(written, inputs, targets, seeded())
    out, out_targets = apply(written, laid_out(inputs), targets, seeded())
    torch.testing.assert_close(out, plain)
    assert torch.equal(out_targets, plain_targets)


class NoWaiting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails where a GPU would have to be waited for: values read, or sizes that depend on them."""

    WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_assert_async", "unique")

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = func.overloadpacket.__name__
        assert name not in self.WAITS, name
        if name in ("index", "index_put"):
            assert all(i is None or i.dtype != torch.bool for i in args[1])
        return func(*args, **(kwargs or {}))


@everyone
def test_nothing_waits_for_the_device(written: Written) -> None:
    inputs, targets = batch()
    with NoWaiting():  # type: ignore[no-untyped-call]
        apply(written, inputs, targets, seeded())


@everyone
def test_a_cpu_changes_pieces_of_a_batch_as_it_would_the_whole(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, targets = batch()
    whole, _ = apply(written, inputs, targets, seeded())
    monkeypatch.setattr(augmentation, "PIECE", 7 * inputs[0].numel())
    in_pieces, _ = apply(written, inputs, targets, seeded())
    torch.testing.assert_close(in_pieces, whole)


@everyone
def test_an_augmentation_can_be_written_and_read_back(written: Written) -> None:
    augmentation = Augmentation.read(written)
    assert Augmentation.read(augmentation.written()) == augmentation


@everyone
def test_images_of_one_channel_are_as_good_where_no_colours_are_needed(written: Written) -> None:
    inputs, targets = batch(channels=1)
    augmentation = Augmentation.read(written)
    try:
        augmentation.check((1, 12, 10))
    except FaultError as error:
        assert "needs colours" in error.faults[0].message
        return
    if isinstance(augmentation, Mixing):
        out, _ = augmentation.mix(inputs, targets, generator=seeded())
    else:
        assert isinstance(augmentation, InputAugmentation)
        out = augmentation.augment(inputs, of(inputs, GREY, seeded()))
    assert out.shape == inputs.shape


@everyone
def test_a_single_sample_is_as_good(written: Written) -> None:
    inputs, targets = batch(1)
    out, _ = apply(written, inputs, targets, seeded())
    assert out.shape == inputs.shape
    assert out.isfinite().all()


@everyone
@pytest.mark.parametrize(
    ("shape", "name"), [((5,), "vectors of 5"), ((2, 7), "signals of 2x7")], ids=str
)
def test_what_does_not_fit_vectors_or_signals_says_so(
    written: Written, shape: tuple[int, ...], name: str
) -> None:
    augmentation = Augmentation.read(written)
    augmentation.check((3, 12, 10))
    if augmentation.kind in ("noise", "mixup"):
        augmentation.check(shape)
        return
    message = f"{augmentation.kind} needs images, but the samples are {name}"
    with pytest.raises(FaultError) as error:
        augmentation.check(shape)
    assert error.value.faults[0].message == message
    assert error.value.faults[0].hint
