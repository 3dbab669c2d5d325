"""The formats; a new one is a class in a file of its own, and its entry in FORMATS."""

from __future__ import annotations

from collections.abc import Mapping

from cnnctl.export.format import Format
from cnnctl.export.formats.onnx import Onnx
from cnnctl.export.formats.pt2 import Pt2
from cnnctl.export.formats.pth import Pth
from cnnctl.export.formats.safetensors import Safetensors
from cnnctl.export.formats.source import Source

_ALL: tuple[Format, ...] = (Onnx(), Pt2(), Pth(), Safetensors(), Source())

FORMATS: Mapping[str, Format] = {each.name: each for each in _ALL}
"""Formats by name."""
