"""The data sets: one class each, which says what it is and reads its samples.

A new data set is one class in one of these files. torchvision and scikit-learn take a second to
import, so that only reading does it.
"""

from cnnctl.data.sources import (
    cifar,
    diabetes,
    digits,
    fake,
    inline,
    mnist,
    planar,
    svhn,
    waveform,
)

__all__ = ["cifar", "diabetes", "digits", "fake", "inline", "mnist", "planar", "svhn", "waveform"]
