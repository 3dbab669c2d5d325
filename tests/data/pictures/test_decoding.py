"""Pictures of every mode and orientation against pixels that NumPy computes."""

import struct
from contextlib import suppress
from io import BytesIO
from typing import Any
from zlib import compress, crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
from PIL import ExifTags, Image

from cnnctl.data.pictures.decoding import (
    MAX_PIXELS,
    BrokenPictureError,
    Mode,
    Resize,
    decode,
    size_and_mode,
)

HEIGHT, WIDTH = 5, 7
RNG = np.random.default_rng(0)
Floats = NDArray[np.float64]


def drawn(bands: int, high: int = 256) -> NDArray[np.int64]:
    return RNG.integers(0, high, (HEIGHT, WIDTH, bands))


GREYS, COLOURS = drawn(1)[..., 0], drawn(3)
ALPHA = drawn(1)
WIDE = drawn(1, 65536)[..., 0]
PRINT = drawn(4)
PALETTE = RNG.integers(0, 256, (256, 3))
LUMA = [0.299, 0.587, 0.114]
"""ITU-R 601-2."""
ON_WHITE = 255 * (1 - ALPHA / 255)


def image(pixels: NDArray[Any], mode: str, dtype: DTypeLike = np.uint8) -> Image.Image:
    """An image of a mode from its bytes, as they lie in memory."""
    return Image.frombytes(mode, (WIDTH, HEIGHT), pixels.astype(dtype).tobytes())


def with_palette(mode: str, pixels: NDArray[Any]) -> Image.Image:
    made = image(pixels, mode)
    made.putpalette(PALETTE.astype(np.uint8).tobytes())
    return made


def same(greys: NDArray[Any]) -> Floats:
    return np.repeat(greys[..., None], 3, axis=2).astype(np.float64)


def bits() -> tuple[Image.Image, Floats]:
    black_or_white = GREYS > 127
    return Image.fromarray(black_or_white), same(black_or_white * 255)


CASES: dict[str, tuple[str, Image.Image, Floats]] = {
    "1 png": ("PNG", *bits()),
    "1 tiff": ("TIFF", *bits()),
    "1 bmp": ("BMP", *bits()),
    "L png": ("PNG", image(GREYS, "L"), same(GREYS)),
    "L tiff": ("TIFF", image(GREYS, "L"), same(GREYS)),
    "L gif": ("GIF", image(GREYS, "L"), same(GREYS)),
    "LA png": (
        "PNG",
        image(np.dstack([GREYS, ALPHA]), "LA"),
        same(GREYS) * ALPHA / 255 + ON_WHITE,
    ),
    "LA tiff": (
        "TIFF",
        image(np.dstack([GREYS, ALPHA]), "LA"),
        same(GREYS) * ALPHA / 255 + ON_WHITE,
    ),
    "P png": ("PNG", with_palette("P", GREYS), PALETTE[GREYS].astype(np.float64)),
    "P gif": ("GIF", with_palette("P", GREYS), PALETTE[GREYS].astype(np.float64)),
    "P tiff": ("TIFF", with_palette("P", GREYS), PALETTE[GREYS].astype(np.float64)),
    "P bmp": ("BMP", with_palette("P", GREYS), PALETTE[GREYS].astype(np.float64)),
    "RGB png": ("PNG", image(COLOURS, "RGB"), COLOURS.astype(np.float64)),
    "RGB tiff": ("TIFF", image(COLOURS, "RGB"), COLOURS.astype(np.float64)),
    "RGB webp": ("WEBP", image(COLOURS, "RGB"), COLOURS.astype(np.float64)),
    "RGBX tiff": (
        "TIFF",
        image(np.dstack([COLOURS, ALPHA]), "RGBX"),
        COLOURS.astype(np.float64),
    ),
    "RGBA png": (
        "PNG",
        image(np.dstack([COLOURS, ALPHA]), "RGBA"),
        COLOURS * ALPHA / 255 + ON_WHITE,
    ),
    "RGBA tiff": (
        "TIFF",
        image(np.dstack([COLOURS, ALPHA]), "RGBA"),
        COLOURS * ALPHA / 255 + ON_WHITE,
    ),
    "CMYK tiff": (
        "TIFF",
        image(PRINT, "CMYK"),
        (255 - PRINT[..., :3]) * (255 - PRINT[..., 3:]) / 255,
    ),
    "I;16 png": ("PNG", image(WIDE, "I;16", np.uint16), same(WIDE / 257)),
    "I;16 tiff": ("TIFF", image(WIDE, "I;16", np.uint16), same(WIDE / 257)),
    "I tiff": ("TIFF", image(WIDE, "I", np.int32), same(WIDE / 257)),
    "I;16B tiff": ("TIFF", image(WIDE, "I;16B", np.dtype(">u2")), same(WIDE / 257)),
    "F tiff": ("TIFF", image(WIDE / 200 - 20, "F", np.float32), same(WIDE / 200 - 20)),
}


def printed(colours: NDArray[np.int64]) -> NDArray[np.uint8]:
    """sRGB as CIE L*a*b* of D50, in bytes: L* from 0 to 255, a* and b* as int8."""
    linear = np.where(
        colours > 10.31475, ((colours / 255 + 0.055) / 1.055) ** 2.4, colours / 3294.6
    )
    # sRGB to XYZ of D50, Bradford-adapted (Lindbloom)
    to_xyz = [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
    x, y, z = np.moveaxis(np.cbrt(linear @ np.transpose(to_xyz) / [0.96422, 1, 0.82521]), -1, 0)
    lab: Floats = np.stack([(116 * y - 16) * 2.55, 500 * (x - y), 200 * (y - z)], axis=-1)
    return (lab.round() % 256).astype(np.uint8)


BRIGHT = RNG.integers(100, 220, (HEIGHT, WIDTH, 3))  # where the cube root is exact
CASES["LAB tiff"] = ("TIFF", image(printed(BRIGHT), "LAB"), BRIGHT.astype(np.float64))
CASES["PA tiff"] = (
    "TIFF",
    with_palette("PA", np.dstack([GREYS, ALPHA])),
    PALETTE[GREYS] * ALPHA / 255 + ON_WHITE,
)
TOLERANCE = {"LAB tiff": 4}


def saved(made: Image.Image, form: str, orientation: int) -> bytes:
    file, exif = BytesIO(), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {}
    if form in ("PNG", "TIFF", "WEBP", "JPEG"):
        options["exif"] = exif
    made.save(file, form, **options)
    return file.getvalue()


def turned(made: Image.Image, orientation: int) -> Image.Image:
    """The image as a camera that was held so would have stored it."""
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    for turn in turns.get(orientation, []):
        made = made.transpose(turn)
    return made


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("case", CASES)
def test_every_mode_comes_out_upright_and_in_colour(case: str, orientation: int) -> None:
    form, made, expected = CASES[case]
    if form in ("BMP", "GIF") and orientation > 1:
        pytest.skip("has no EXIF data")
    content = saved(turned(made, orientation), form, orientation)
    pixels = decode(content, mode="RGB", size=(HEIGHT, WIDTH), resize="pad")
    expected = np.rint(expected.clip(0, 255))
    assert pixels.shape == (3, HEIGHT, WIDTH)
    np.testing.assert_allclose(pixels.transpose(1, 2, 0), expected, atol=TOLERANCE.get(case, 1))
    grey = decode(content, mode="L", size=(HEIGHT, WIDTH), resize="pad")
    np.testing.assert_allclose(grey[0], expected @ LUMA, atol=TOLERANCE.get(case, 1) + 1)
    wanted = (
        "L" if case.split(maxsplit=1)[0] in ("1", "L", "LA", "I", "I;16", "I;16B", "F") else "RGB"
    )
    assert size_and_mode(content) == (HEIGHT, WIDTH, wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_comes_out_upright(mode: str, orientation: int) -> None:
    """Compressed without turning and read back, the expected pixels are those of the file."""
    smooth = Image.effect_noise((48, 32), 20).resize((48, 32))
    made = turned(smooth.convert(mode), orientation)
    content = saved(made, "JPEG", orientation)
    plain = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
    pixels = decode(content, mode="RGB", size=(32, 48), resize="pad").transpose(1, 2, 0)
    steps = {1: "", 2: "x", 3: "xy", 4: "y", 5: "t", 6: "tx", 7: "txy", 8: "ty"}[orientation]
    for step in steps:
        plain = {"x": plain[:, ::-1], "y": plain[::-1], "t": plain.swapaxes(0, 1)}[step]
    assert np.array_equal(pixels, plain)


def striped(height: int, width: int) -> bytes:
    """White, with a black left half."""
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    pixels[:, : width // 2] = 0
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_padding_keeps_the_whole_picture_in_the_middle_of_black() -> None:
    pixels = decode(striped(20, 40), mode="L", size=(40, 40), resize="pad")[0]
    assert (pixels[:10] == 0).all()
    assert (pixels[30:] == 0).all()
    assert (pixels[10:30, 21:] == 255).all()
    assert (pixels[10:30, :19] == 0).all()


def test_squashing_fills_the_square() -> None:
    pixels = decode(striped(20, 40), mode="L", size=(40, 40), resize="squash")[0]
    assert (pixels[:, 21:] == 255).all()
    assert (pixels[:, :19] == 0).all()


def test_cropping_cuts_the_longer_side_off() -> None:
    pixels = decode(striped(20, 40), mode="L", size=(20, 20), resize="crop")[0]
    assert (pixels[:, 10:] == 255).all()
    assert (pixels[:, :10] == 0).all()


@pytest.mark.parametrize("how", ["pad", "squash", "crop"])
def test_a_picture_of_the_right_size_is_not_touched(how: Resize) -> None:
    content = saved(image(COLOURS, "RGB"), "PNG", 1)
    pixels = decode(content, mode="RGB", size=(HEIGHT, WIDTH), resize=how)
    assert np.array_equal(pixels.transpose(1, 2, 0), COLOURS)


def test_the_first_frame_counts() -> None:
    file = BytesIO()
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    pixels = decode(file.getvalue(), mode="RGB", size=(4, 4), resize="pad")
    assert (pixels == np.array([255, 0, 0])[:, None, None]).all()


def test_a_colour_that_stands_for_transparency_becomes_white() -> None:
    file = BytesIO()
    image(COLOURS, "RGB").save(file, "PNG", transparency=(*COLOURS[0, 0].tolist(),))
    pixels = decode(file.getvalue(), mode="RGB", size=(HEIGHT, WIDTH), resize="pad")
    assert (pixels[:, 0, 0] == 255).all()
    assert np.array_equal(pixels[:, 1, 1], COLOURS[1, 1])


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG file that promises this many black pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


GOOD = {
    form: saved(image(COLOURS, "RGB"), form, 1)
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
}
BROKEN = {
    "empty": (b"", "is empty"),
    "text": (b"no picture at all", "is not a picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a picture"),
    "bomb": (bomb(60_000, 60_000), "pixels"),
    "small bomb": (bomb(9_000, 9_000), f"9,000x9,000 pixels, more than {MAX_PIXELS:,}"),
    "no pixels": (bomb(0, 5), "has no pixels|cannot be decoded|is not a picture"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_says_why(name: str) -> None:
    content, reason = BROKEN[name]
    with pytest.raises(BrokenPictureError, match=reason):
        decode(content, mode="RGB", size=(8, 8), resize="pad")
    with pytest.raises(BrokenPictureError, match=reason):
        size_and_mode(content)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_that_is_cut_short_is_broken(form: str, mode: Mode) -> None:
    content = GOOD[form]
    for end in (4, len(content) // 2, len(content) - 40):
        with pytest.raises(BrokenPictureError):
            decode(content[:end], mode=mode, size=(8, 8), resize="pad")


@given(form=st.sampled_from(sorted(GOOD)), at=st.integers(0, 400), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=60)
def test_damage_anywhere_decodes_or_is_named(form: str, at: int, byte: int) -> None:
    content = bytearray(GOOD[form])
    content[at % len(content)] = byte
    with suppress(BrokenPictureError):
        pixels = decode(bytes(content), mode="RGB", size=(8, 8), resize="pad")
        assert pixels.shape == (3, 8, 8)
