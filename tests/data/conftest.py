"""What tests of data need: the inputs of samples as a tensor, and datasets of every kind."""

from typing import Any

from torch import Tensor

from cnnctl.data.samples import Samples


def inputs_of(samples: Samples) -> Tensor:
    """The inputs of samples that lie in memory."""
    assert isinstance(samples.inputs, Tensor)
    return samples.inputs


def shortest(kind: str) -> dict[str, Any]:
    """A dataset of this kind with no more options than it needs to be described."""
    surveyed = {"classes": ["cat", "dog"], "samples": {"train": 8, "validation": 2, "test": 2}}
    needed: dict[str, dict[str, Any]] = {
        "arrays": {
            "path": "nowhere.npz",
            "task": "classification",
            "normalize_targets": None,
            "shape": [3, 8, 8],
            "layout": "channels_last",
            "white": 255,
            **surveyed,
        },
        "inline": {"inputs": [[1, 2, 3], [4, 5, 6]], "targets": [0, 1]},
        "image_folder": {"path": "nowhere", "mode": "RGB", "size": 8, **surveyed},
        "webdataset": {"path": "nowhere", "mode": "RGB", "size": 8, **surveyed},
        "image_table": {
            "path": "nowhere.csv",
            "column": "file",
            "target": "species",
            "task": "classification",
            "normalize_targets": None,
            "mode": "RGB",
            "size": 8,
            **surveyed,
        },
        "memory": {"shape": [3], "classes": ["cat", "dog"], "samples": 10},
        "signals": {
            "path": "nowhere.csv",
            "series": "id",
            "channels": ["x", "y"],
            "task": "classification",
            "normalize_targets": None,
            "shape": [2, 9],
            **surveyed,
        },
        "table": {
            "path": "nowhere.csv",
            "target": "species",
            "task": "classification",
            "normalize_targets": None,
            "columns": {"length": {"name": "number", "mean": 1.0, "std": 2.0}},
            **surveyed,
        },
    }
    return {"name": kind, **needed.get(kind, {})}
