"""From the bytes of a picture file to pixels, in one way for everything that needs them.

A picture comes out upright (its EXIF orientation applied) and in the mode that is asked for, `L`
(grey) or `RGB`, by these rules:

- one bit: black and white become 0 and 255
- 16 bits, and 32-bit integers: divided by 257 and rounded; more than 16 bits are clipped
- floating-point numbers: taken as 0 to 255, rounded and clipped
- palettes: looked up
- transparency: composited onto white
- CMYK, YCbCr, HSV: Pillow's formulas; LAB: its D50 profile to sRGB
- colour to grey: ITU-R 601-2 luma; grey to colour: three equal channels
- several frames: the first
"""

from __future__ import annotations

import struct
import warnings
from io import BytesIO
from posixpath import splitext
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

Mode = Literal["L", "RGB"]
Resize = Literal["pad", "squash", "crop"]
Pixels = NDArray[np.uint8]
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP")
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp"}
)
MAX_BYTES = 2**28
"""Of a file."""
MAX_PIXELS = 80_000_000
"""Of a picture; Pillow warns from 89 million on."""
SIXTEEN_BITS = 65535 / 255

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # ours is stricter


class BrokenPictureError(Exception):
    """A file that is no picture that can be decoded; its text says why."""


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its suffix."""
    return splitext(name)[1].lower() in SUFFIXES


def decode(
    content: bytes,
    *,
    mode: Mode,
    size: tuple[int, int],
    resize: Resize,
    most_pixels: int = MAX_PIXELS,
) -> Pixels:
    """The pixels of a picture file, (C, *size) uint8; see the module for how they come about.

    most_pixels: of the picture as it is in the file.

    Raises:
        BrokenPictureError: it is empty, cut short, damaged, too large, or of an unsupported format.
    """
    with _opened(content) as image:
        _check_size(*image.size, most_pixels)
        return _decoded(image, mode, size, resize)


def decode_image(
    image: Image.Image, *, mode: Mode, size: tuple[int, int], resize: Resize
) -> Pixels:
    """The pixels of a picture that Pillow has opened or made; see `decode`.

    Raises:
        BrokenPictureError: it is too large, has no pixels, or cannot be decoded.
    """
    _check_size(*image.size)
    return _decoded(image, mode, size, resize)


def _decoded(image: Image.Image, mode: Mode, size: tuple[int, int], resize: Resize) -> Pixels:
    try:
        return _pixels(resized(converted(upright(image), mode), size, resize))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise what comes, here for damaged content
        raise BrokenPictureError(_reason(error)) from None


def size_and_mode(content: bytes) -> tuple[int, int, Mode]:
    """Height and width of a picture once it is upright, and the mode that keeps its colours.

    Raises:
        BrokenPictureError: it is no picture.
    """
    with _opened(content) as image:
        return _size_and_mode(image)


def tried(content: bytes, *, most_pixels: int) -> tuple[int, int, Mode, Pixels | None]:
    """The same, and the pixels, (C, H, W), of a picture that has no more than so many.

    Raises:
        BrokenPictureError: it is no picture, or cannot be decoded.
    """
    with _opened(content) as image:
        height, width, mode = _size_and_mode(image)
        pixels = None
        if height * width <= most_pixels:
            pixels = _decoded(image, mode, (height, width), "squash")
        return height, width, mode, pixels


def _size_and_mode(image: Image.Image) -> tuple[int, int, Mode]:
    width, height = image.size
    if _orientation(image) >= 5 and image.format != "TIFF":  # which is turned already
        width, height = height, width
    return height, width, "L" if image.mode in GREY or _has_grey_palette(image) else "RGB"


GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes without colour."""


def _has_grey_palette(image: Image.Image) -> bool:
    colours = image.getpalette("RGB") if image.mode in ("P", "PA") else None
    return colours is not None and colours[::3] == colours[1::3] == colours[2::3]


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise BrokenPictureError("is empty")
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise BrokenPictureError("is not a picture, or of an unsupported format") from None
    except Image.DecompressionBombError:
        raise BrokenPictureError(f"has more than {MAX_PIXELS:,} pixels") from None
    except MemoryError:
        raise
    except Exception as error:  # as in `decode`
        raise BrokenPictureError(_reason(error)) from None
    _check_size(*image.size)
    return image


def _check_size(width: int, height: int, most: int = MAX_PIXELS) -> None:
    if width * height > most:
        raise BrokenPictureError(f"has {width:,}x{height:,} pixels, more than {most:,}")
    if not width * height:
        raise BrokenPictureError("has no pixels")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be decoded: {text[:200]}"


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or the EXIF data is damaged."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, ValueError, TypeError, KeyError, IndexError, SyntaxError, struct.error):
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each orientation upright (EXIF 2.32, table 6)."""


def upright(image: Image.Image) -> Image.Image:
    """The picture with its EXIF orientation applied."""
    image.load()  # which turns a TIFF upright by itself, and drops the orientation
    turn = TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def converted(image: Image.Image, mode: Mode) -> Image.Image:
    """The picture in the mode that is asked for; see the module for the rules."""
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        return _scaled(np.asarray(image).astype(np.float64) / SIXTEEN_BITS).convert(mode)
    if image.mode == "F":
        return _scaled(np.asarray(image).astype(np.float64)).convert(mode)
    if image.mode == "LAB":
        return _from_lab(image).convert(mode)
    if image.has_transparency_data:
        pixels = image.convert("RGBA")
        white = Image.new("RGBA", pixels.size, "white")
        return Image.alpha_composite(white, pixels).convert("RGB").convert(mode)
    if image.mode in ("L", "1"):
        return image.convert("L").convert(mode)
    return image.convert("RGB").convert(mode)


def _scaled(values: NDArray[np.float64]) -> Image.Image:
    finite = np.nan_to_num(values, nan=0.0)
    return Image.fromarray(np.rint(finite).clip(0, 255).astype(np.uint8))


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transformed = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert transformed is not None  # as it is when not in place
    return transformed


def resized(image: Image.Image, size: tuple[int, int], how: Resize) -> Image.Image:
    """The picture at this height and width, antialiased.

    `pad` keeps all of it and its aspect ratio, on black; `squash` keeps all of it, distorted;
    `crop` keeps its aspect ratio and cuts off what is too long.
    """
    height, width = size
    if image.size == (width, height):
        return image
    if how == "pad":
        return ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR)
    if how == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _pixels(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
