"""The datasets: one class each, which describes the data and reads it.

A new dataset is one class in one of these files. torchvision and scikit-learn take a second to
import, so they are imported only for reading.
"""

from cnnctl.data.sources import (
    arrays,
    cifar,
    diabetes,
    digits,
    fake,
    image_folder,
    image_table,
    inline,
    memory,
    mnist,
    planar,
    signals,
    svhn,
    table,
    waveform,
    webdataset,
)

__all__ = [
    "arrays",
    "cifar",
    "diabetes",
    "digits",
    "fake",
    "image_folder",
    "image_table",
    "inline",
    "memory",
    "mnist",
    "planar",
    "signals",
    "svhn",
    "table",
    "waveform",
    "webdataset",
]
