"""Small, fast networks: MobileNet, ShuffleNet, EfficientNet."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from cnnctl.model.zoo.network import Network


class MobileNetV2(Network, kind="mobilenet_v2"):
    """MobileNetV2 (Sandler et al. 2018)."""

    width: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    """Width multiplier; channels are rounded to multiples of 8."""

    def parameters(self) -> dict[str, Any]:
        channels = {f"c{c}": multiple_of_8(c * self.width) for c in _MOBILE_CHANNELS}
        widened = {f"wide{c}": 6 * channels[f"c{c}"] for c in _MOBILE_CHANNELS}
        return {**channels, **widened, "last": multiple_of_8(1280 * max(1.0, self.width))}


_MOBILE_CHANNELS = (32, 16, 24, 64, 96, 160, 320)


def multiple_of_8(channels: float) -> int:
    """Round to a multiple of 8, down by at most a tenth (the code of Sandler et al. 2018)."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


Network.variant("mobilenet_v3_large", "MobileNetV3-Large (Howard et al. 2019).")
Network.variant("mobilenet_v3_small", "MobileNetV3-Small (Howard et al. 2019).")


class ShuffleNetV2(Network):
    """Units whose convolutions take half of the channels."""

    file = "shufflenet_v2.yaml"
    stages: ClassVar[tuple[int, int, int]]
    last: ClassVar[int] = 1024

    def parameters(self) -> dict[str, Any]:
        widths = {f"stage{n}": width for n, width in enumerate(self.stages, 2)}
        halves = {f"half{n}": width // 2 for n, width in enumerate(self.stages, 2)}
        return {**widths, **halves, "last": self.last}


ShuffleNetV2.variant(
    "shufflenet_v2_x0_5", "ShuffleNetV2 with half the width (Ma et al. 2018).", stages=(48, 96, 192)
)
ShuffleNetV2.variant("shufflenet_v2_x1_0", "ShuffleNetV2 (Ma et al. 2018).", stages=(116, 232, 464))
ShuffleNetV2.variant(
    "shufflenet_v2_x1_5",
    "ShuffleNetV2 with 1.5 times the width (Ma et al. 2018).",
    stages=(176, 352, 704),
)
ShuffleNetV2.variant(
    "shufflenet_v2_x2_0",
    "ShuffleNetV2 with twice the width (Ma et al. 2018).",
    stages=(244, 488, 976),
    last=2048,
)

Network.variant("efficientnet_b0", "EfficientNet-B0 (Tan and Le 2019).")
