"""What tests of data need: the inputs of samples as a tensor."""

from torch import Tensor

from cnnctl.data.samples import Samples


def inputs_of(samples: Samples) -> Tensor:
    """The inputs of samples that lie in memory."""
    assert isinstance(samples.inputs, Tensor)
    return samples.inputs
