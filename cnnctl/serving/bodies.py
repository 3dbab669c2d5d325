"""From the body of a request to inputs for a network: pictures as bytes, rows and numbers as JSON.

Nothing in a request is a path: names of files are only repeated in the answer, and texts in JSON
are cells of a table.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NoReturn

from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from torch import Tensor

from cnnctl.data.arrays.given import nested_numbers
from cnnctl.data.dataset import DataSet
from cnnctl.data.given import given_inputs
from cnnctl.data.inputs import picture_form_of
from cnnctl.data.pictures.reading import decoded_picture
from cnnctl.errors import data_fault
from cnnctl.serving.limits import CLOSE, Limits
from cnnctl.serving.multipart import files_of

SMALL_BYTES, SMALL_PIXELS = 2**13, 2**14
"""Of a picture that is decoded faster than another thread is woken."""
JPEG, SCAN = b"\xff\xd8", b"\xff\xda"
MOST_SCANS = 100
"""Passes in which a progressive JPEG may come; encoders make about ten."""
MULTIPART, JSON = "multipart/form-data", "application/json"
RAW = ("image/", "application/octet-stream")
TAKEN = f"send {MULTIPART}, image/* or {JSON}"


@dataclass(frozen=True, slots=True)
class Given:
    """A sample of a request."""

    name: str
    """Of its file, or its position."""
    read: Callable[[], Tensor]
    """The sample as the dataset stores it; raises a FaultError if it cannot be read."""
    quick: Callable[[], Tensor] | None = None
    """The same if it does not take long; raises a FaultError also where `read` must be tried."""


async def inputs_in(request: Request, data: DataSet, limits: Limits) -> tuple[list[Given], bool]:
    """The inputs in a request, in their order, and whether it may have several.

    Of what does not fit the network, `read` raises the fault.

    Raises:
        HTTPException: the request is damaged, too large, or of an unknown type.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == MULTIPART:
        parts = await files_of(request.stream(), content_type, most=limits.samples)
        found = [_picture(part.name, part.content, data, limits) for part in parts]
        is_many = len(found) != 1
    elif kind == JSON:
        content = await _content(request, limits.json)
        if len(content) > SMALL_BYTES:
            found, is_many = await asyncio.to_thread(_in_json, content, data, limits.samples)
        else:
            found, is_many = _in_json(content, data, limits.samples)
    elif kind.startswith(RAW):
        content = await _content(request, limits.body)
        found, is_many = [_picture("body", content, data, limits)], False
    else:
        raise HTTPException(415, f"the content type {kind[:100]!r} is not known: {TAKEN}")
    _check_count(len(found), limits)
    return found, is_many


def _check_count(count: int, limits: Limits) -> None:
    if not count:
        raise HTTPException(422, f"the request has no inputs: {TAKEN}")
    if count > limits.samples:
        raise HTTPException(413, f"more inputs than the limit of {limits.samples:,}")


async def _content(request: Request, limit: int) -> bytes:
    """The body, of at most so many bytes."""
    chunks, size = list[bytes](), 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise HTTPException(413, f"more than the limit of {limit:,} bytes", headers=CLOSE)
    return b"".join(chunks)


def _picture(name: str, content: bytes, data: DataSet, limits: Limits) -> Given:
    def decoded(most_pixels: int) -> Tensor:
        form = picture_form_of(data)
        if content.startswith(JPEG) and content.count(SCAN) > MOST_SCANS:
            message = f"has more than {MOST_SCANS} scans, each of which takes the time of a picture"
            raise data_fault(message, hint="save it again", place=name)
        return decoded_picture(content, form, place=name, most_pixels=most_pixels)

    few = min(SMALL_PIXELS, limits.pixels)
    quick = partial(decoded, few) if len(content) <= SMALL_BYTES else None
    return Given(name, partial(decoded, limits.pixels), quick)


def _in_json(content: bytes, data: DataSet, most: int) -> tuple[list[Given], bool]:
    """The samples in JSON: a row is an object, all else is numbers, one sample or several.

    Of more than `most`, only one more is looked at.
    """
    given = parsed(content)
    rows = given[: most + 1] if isinstance(given, list) else [given]
    if rows and all(isinstance(row, Mapping) for row in rows):
        read = [each.read for row in rows for each in given_inputs(row, data)]
        is_many = isinstance(given, list)
    else:
        inputs = given_inputs(_numbers(given), data)
        read = [each.read for each in islice(inputs, most + 1)]
        is_many = len(read) != 1
    is_small = len(content) <= SMALL_BYTES
    found = [Given(f"[{at}]", each, each if is_small else None) for at, each in enumerate(read)]
    return found, is_many


def _numbers(given: Any) -> NDArray[Any]:
    """Lists of numbers as an array.

    Raises:
        HTTPException: they hold something else, or lists of several lengths.
    """
    array = nested_numbers(given) if isinstance(given, list) and given else None
    if array is None:
        raise HTTPException(
            422, "expected a row (an object), a list of rows, or an array of numbers"
        )
    return array


def parsed(content: bytes) -> Any:
    """JSON as plain data.

    Raises:
        HTTPException: it is none, nested too deep, or has numbers that JSON does not know.
    """
    try:
        return json.loads(content, parse_constant=partial(_refuse_constant))
    except RecursionError:
        raise HTTPException(422, "the JSON is nested too deep") from None
    except ValueError as error:  # also for what is no UTF-8
        raise HTTPException(422, f"this is no JSON: {str(error)[:200]}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
