import numpy as np
import pytest
import torch

from cnnctl.data.conformity import conformed
from cnnctl.data.samples import Description, Samples
from cnnctl.errors import ExitCode, FaultError

DESCRIBED = Description((1, 2, 2), ("cat", "dog"), 2, 3)


def images(*, count=3, side=2):
    return torch.zeros(count, 1, side, side, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (Samples(images(), torch.tensor([0, 1, 2])), "labels from 0 to 2, but classes from 0 to 1"),
        (Samples(images(), torch.tensor([0, -1, 1])), "labels from -1 to 1"),
        (Samples(images(count=2), torch.tensor([0, 1, 1])), "2 samples, but 3 targets"),
        (Samples(images(count=0), torch.tensor([], dtype=torch.int64)), "no samples"),
        (Samples(images(side=3), torch.tensor([0, 1, 1])), "samples of 1x3x3, not of 1x2x2"),
    ],
    ids=["large label", "negative label", "counts", "empty", "shape"],
)
def test_samples_that_are_not_what_was_described_are_a_data_fault(samples, words):
    with pytest.raises(FaultError, match=words) as error:
        conformed(samples, DESCRIBED, what="cats and dogs")
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].cure


def test_samples_that_fit_pass():
    samples = Samples(images(), torch.tensor([0, 1, 1]))
    assert conformed(samples, DESCRIBED, what="cats and dogs").inputs is samples.inputs


def test_samples_are_taken_in_the_order_asked_for():
    samples = Samples(torch.arange(10.0)[:, None], torch.arange(10))
    taken = samples.take(np.array([7, 2, 2]))
    assert taken.inputs.flatten().tolist() == [7, 2, 2]
    assert taken.targets.tolist() == [7, 2, 2]
