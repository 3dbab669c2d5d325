"""LayerCAM: as Grad-CAM, with a weight for each place, so that early layers have sharp maps."""

from __future__ import annotations

from torch import Tensor

from cnnctl.explanation.class_activation import ClassActivation
from cnnctl.explanation.request import Request


class LayerCam(ClassActivation):
    """Channels weighted by their positive gradient at each place, summed."""

    name = "layer-cam"
    reference = "Jiang et al. 2021, https://doi.org/10.1109/TIP.2021.3089943"

    def weighed(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (activations * gradients.clamp(min=0)).sum(0)

    def meaning(self, request: Request) -> str:
        return f"channels of {request.layer}, weighted by their positive gradients at each place"
