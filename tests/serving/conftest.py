"""Models and clients that tests of the service share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnctl.serving.app import Access, application
from cnnctl.serving.limits import Limits
from cnnctl.serving.models import ServedModel
from cnnctl.serving.service import Service
from cnnctl.subject import open_subject

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette recommends a successor of httpx
    from starlette.testclient import TestClient as TestClient  # noqa: PLC0414

CONVOLUTION = """\
data: {name: digits, batch_size: 128}
model:
  layers: [{conv: {out_channels: 4, kernel_size: 3}}, relu, flatten, {linear: classes}]
optimizer: sgd
train: {precision: fp32}
"""
Serve = Callable[..., TestClient]


def model_of(text: str, folder: Path, name: str = "digits") -> ServedModel:
    """A network with initial weights, which answers like any other."""
    config = folder / f"{name}.yaml"
    config.write_text(text, encoding="utf-8")
    return ServedModel(name, open_subject(config).trained)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    """A convolution for pictures of 8x8 grey pixels."""
    return model_of(CONVOLUTION, tmp_path_factory.mktemp("digits"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a service of some models; the client asks for localhost."""
    with ExitStack() as started:

        def start(
            *models: ServedModel,
            limits: Limits = Limits(),
            access: Access = Access(),
            wait: float = 0.005,
            **more: Any,
        ) -> TestClient:
            app = application(Service(models, limits, wait), access, **more)
            client = TestClient(app, "http://localhost", raise_server_exceptions=False)
            return started.enter_context(client)

        yield start


def picture(number: int = 0, *, side: int = 8, kind: str = "PNG", mode: str = "L") -> bytes:
    """The file of a picture, a different one for each number."""
    channels = () if mode == "L" else (3,)
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, *channels), np.uint8)
    content = BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()
