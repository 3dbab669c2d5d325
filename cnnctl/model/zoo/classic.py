"""Networks without residuals: LeNet to DenseNet."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from cnnctl.config.choice import refusal
from cnnctl.model.zoo.network import Chance, Network, Width, dropout_of


class VGG(Network):
    """3x3 convolutions in five stages."""

    file = "vgg.yaml"
    stages: ClassVar[tuple[int, ...]]

    def parameters(self) -> dict[str, Any]:
        return {f"n{number + 1}": count for number, count in enumerate(self.stages)}


VGG.variant("vgg11", "VGG-11 (Simonyan and Zisserman 2014, A).", stages=(1, 1, 2, 2, 2))
VGG.variant("vgg13", "VGG-13 (Simonyan and Zisserman 2014, B).", stages=(2, 2, 2, 2, 2))
VGG.variant("vgg16", "VGG-16 (Simonyan and Zisserman 2014, D).", stages=(2, 2, 3, 3, 3))
VGG.variant("vgg19", "VGG-19 (Simonyan and Zisserman 2014, E).", stages=(2, 2, 4, 4, 4))


class VGGBN(VGG):
    """With batch norm after each convolution."""

    file = "vgg_bn.yaml"


VGGBN.variant("vgg11_bn", "VGG-11 with batch norm.", stages=(1, 1, 2, 2, 2))
VGGBN.variant("vgg13_bn", "VGG-13 with batch norm.", stages=(2, 2, 2, 2, 2))
VGGBN.variant("vgg16_bn", "VGG-16 with batch norm.", stages=(2, 2, 3, 3, 3))
VGGBN.variant("vgg19_bn", "VGG-19 with batch norm.", stages=(2, 2, 4, 4, 4))


class DenseNet(Network):
    """Dense blocks with bottlenecks, and transitions that halve the channels."""

    file = "densenet.yaml"
    stages: ClassVar[tuple[int, ...]]
    start: ClassVar[int] = 64

    growth: Width = 32
    """Channels that each layer adds."""

    def parameters(self) -> dict[str, Any]:
        return {
            "growth": self.growth,
            "bottleneck": 4 * self.growth,
            "start": self.start,
            **{f"n{number + 1}": count for number, count in enumerate(self.stages)},
            **halves(self.start, self.stages, self.growth),
        }


def halves(start: int, stages: tuple[int, ...], growth: int) -> dict[str, int]:
    """The channels after each transition."""
    found, channels = {}, start
    for number, layers in enumerate(stages[:-1]):
        channels = (channels + layers * growth) // 2
        found[f"half{number + 1}"] = channels
    return found


DenseNet.variant("densenet121", "DenseNet-121 (Huang et al. 2016).", stages=(6, 12, 24, 16))
DenseNet.variant(
    "densenet161", "DenseNet-161 (Huang et al. 2016).", stages=(6, 12, 36, 24), start=96, growth=48
)
DenseNet.variant("densenet169", "DenseNet-169 (Huang et al. 2016).", stages=(6, 12, 32, 32))
DenseNet.variant("densenet201", "DenseNet-201 (Huang et al. 2016).", stages=(6, 12, 48, 32))


def six_n_plus_4(depth: int) -> int:
    """Check that a depth is three stages of n bottlenecks plus four layers."""
    less = (depth - 4) // 6 * 6 + 4
    if depth != less:
        message = f"{depth} layers are not 6n + 4"
        raise refusal(message, hint=f"write {less} or {less + 6}")
    return depth


class DenseNetBC(Network, kind="densenet_bc"):
    """DenseNet-BC for CIFAR (Huang et al. 2016)."""

    depth: Annotated[int, Field(ge=10, le=1000), AfterValidator(six_n_plus_4)] = 100
    """Number of layers, 6n + 4."""
    growth: Width = 12
    """Channels that each layer adds."""
    dropout: Chance = 0.0
    """Dropout rate after each convolution; 0.2 in the paper, without augmentation."""

    def parameters(self) -> dict[str, Any]:
        n, start = (self.depth - 4) // 6, 2 * self.growth
        return {
            "growth": self.growth,
            "bottleneck": 4 * self.growth,
            "start": start,
            "n": n,
            "dropout": dropout_of(self.dropout),
            **halves(start, (n, n, n), self.growth),
        }


Network.variant("alexnet", "AlexNet in one column (Krizhevsky 2014).")
Network.variant("zf5", "ZF-5 (Zeiler and Fergus 2013, He et al. 2014).")
Network.variant("squeezenet1_0", "SqueezeNet 1.0 (Iandola et al. 2016).")
Network.variant("squeezenet1_1", "SqueezeNet 1.1 (Iandola et al. 2016).")


class GoogLeNet(Network, kind="googlenet"):
    """GoogLeNet with batch norm (Szegedy et al. 2014)."""

    auxiliary: bool = False
    """Add the paper's two auxiliary classifiers, which are used in training only."""

    def parameters(self) -> dict[str, Any]:
        return {"aux": ["aux"] if self.auxiliary else []}


Network.variant("lenet1", "LeNet-1 (LeCun et al. 1995).")
Network.variant("lenet4", "LeNet-4 (LeCun et al. 1995).")
Network.variant("lenet5", "LeNet-5 (LeCun et al. 1998).")
Network.variant("keras_cnn", "The CNN of Keras' example for CIFAR-10.")
Network.variant("all_cnn_c", "All-CNN-C, convolutions only (Springenberg et al. 2014).")
Network.variant("network_in_network", "Network in network for CIFAR (Lin et al. 2013).")


class MLP(Network, kind="mlp"):
    """A multilayer perceptron."""

    hidden: Annotated[list[Width], Field(min_length=1, max_length=100)] = [300, 100]
    """Sizes of the hidden layers."""

    def parameters(self) -> dict[str, Any]:
        return {"hidden": [layer for size in self.hidden for layer in ({"linear": size}, "tanh")]}
