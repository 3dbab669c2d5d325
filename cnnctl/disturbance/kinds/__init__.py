"""The disturbances; a new one is a class in a file of its own, and its entry in DISTURBANCES."""

from cnnctl.disturbance.disturbance import Disturbance
from cnnctl.disturbance.kinds.blur import Blur
from cnnctl.disturbance.kinds.brightness import Brightness
from cnnctl.disturbance.kinds.contrast import Contrast
from cnnctl.disturbance.kinds.fgsm import FGSM
from cnnctl.disturbance.kinds.noise import Noise
from cnnctl.disturbance.kinds.occlude import Occlude
from cnnctl.disturbance.kinds.pgd import PGD
from cnnctl.disturbance.kinds.rotate import Rotate
from cnnctl.disturbance.kinds.scale import Scale
from cnnctl.disturbance.kinds.shift import Shift

_ALL = (
    *(Shift(), Rotate(), Scale(), Noise(), Blur(), Brightness(), Contrast(), Occlude()),
    *(FGSM(), PGD()),
)
DISTURBANCES: dict[str, Disturbance] = {each.kind: each for each in _ALL}
"""Every disturbance by its name."""
