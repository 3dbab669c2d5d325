"""A trained network behind FastAPI, as the documentation of FastAPI and torchvision suggests.

    python benchmarks/plain_service.py RUN PORT "plain def" | "plain async def"

The endpoint opens the picture, transforms it, and calls the network for it alone.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image
from torchvision.transforms import v2

from cnnctl.trained import open_trained


def serve(run: Path, port: int, *, is_async: bool) -> None:
    """Serve a run as the documentation suggests."""
    trained = open_trained(run / "checkpoints" / "best.safetensors")
    model, data = trained.network, trained.experiment.data
    channels, *sides = data.whole().shape
    normalize = data.normalize
    classes = data.whole().class_names
    transform = v2.Compose(
        [
            v2.Grayscale(channels) if channels == 1 else v2.RGB(),
            v2.Resize(sides),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(normalize.mean, normalize.std),
        ]
    )
    app = FastAPI()

    def answer(image: Image.Image) -> dict[str, Any]:
        with torch.no_grad():
            probabilities = model(transform(image)[None]).softmax(1)[0]
        number = int(probabilities.argmax())
        shares = dict(zip(classes, probabilities.tolist(), strict=True))
        return {"class": classes[number], "probabilities": shares}

    def predict(file: UploadFile) -> dict[str, Any]:
        return answer(Image.open(file.file))

    async def predict_async(file: UploadFile) -> dict[str, Any]:
        return answer(Image.open(BytesIO(await file.read())))

    app.post("/predict")(predict_async if is_async else predict)
    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), is_async="async" in sys.argv[3])
