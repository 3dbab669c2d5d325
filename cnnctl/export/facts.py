"""What an export says about itself: classes, preprocessing and experiment, as JSON texts."""

from __future__ import annotations

import json
from typing import Any

import torch

from cnnctl.export.checking import output_names
from cnnctl.export.original import Original
from cnnctl.version import __version__

Facts = dict[str, str]
"""JSON texts by name, for the metadata of a file."""


def facts_of(original: Original, *, raw: bool) -> Facts:
    """The metadata of an exported network: `outputs`, `input`, `preprocessing`, `experiment`, …"""
    return {name: _as_json(fact) for name, fact in _facts(original, raw=raw).items()}


def _as_json(fact: Any) -> str:
    return json.dumps(fact, ensure_ascii=False, separators=(",", ":"))


def _facts(original: Original, *, raw: bool) -> dict[str, Any]:
    return {
        "program": f"cnnctl {__version__}",
        "epoch": original.trained.epoch if original.is_trained else 0,
        "input": _input(original, raw=raw),
        "outputs": [
            {
                "name": name,
                "target": task.target.name,
                "kind": task.target.kind,
                "is": task.loss.outputs if raw else _answer(task.target.kind),
                "classes": [*task.target.class_names],
                **({"thresholds": [*task.thresholds]} if task.thresholds else {}),
            }
            for name, task in zip(output_names(original, raw=raw), original.tasks, strict=True)
        ],
        "preprocessing": preprocessing_facts(original),
        "experiment": original.experiment.plain(),
    }


def _answer(kind: str) -> str:
    return "values" if kind == "values" else "probabilities"


def _input(original: Original, *, raw: bool) -> dict[str, Any]:
    dtype = torch.float32 if raw else original.dtype
    found: dict[str, Any] = {
        "shape": ["batch", *original.shape],
        "dtype": str(dtype).removeprefix("torch."),
        "is": "preprocessed" if raw else "stored",
    }
    features = [feature.name for feature in original.experiment.data.features()]
    if len(original.shape) == 1 and len(features) == original.shape[0]:
        found["features"] = features
    return found


def preprocessing_facts(original: Original) -> dict[str, Any]:
    """What is done to stored samples: `(x / scale - mean) / std` by channel; null if unknown."""
    known, form = original.preprocessing, original.experiment.data.picture_form()
    found: dict[str, Any] = {}
    if form is not None:
        found["picture"] = {"mode": form.mode, "size": [*form.size], "resize": form.resize}
    if known is not None:
        found["scale"] = 255 if original.dtype == torch.uint8 else 1
        found["mean"] = [*known.normalize.mean] if known.normalize else None
        found["std"] = [*known.normalize.std] if known.normalize else None
    return found
