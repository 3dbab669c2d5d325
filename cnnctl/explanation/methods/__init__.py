"""The methods; a new one is a class in a file of its own, and its entry in METHODS."""

from __future__ import annotations

from cnnctl.explanation.method import Method, Methods
from cnnctl.explanation.methods.adversarial import Adversarial
from cnnctl.explanation.methods.feature_maps import FeatureMaps
from cnnctl.explanation.methods.filters import Filters
from cnnctl.explanation.methods.grad_cam import GradCam
from cnnctl.explanation.methods.integrated_gradients import IntegratedGradients
from cnnctl.explanation.methods.layer_cam import LayerCam
from cnnctl.explanation.methods.lime import Lime
from cnnctl.explanation.methods.maximise import Maximise
from cnnctl.explanation.methods.neighbours import Neighbours
from cnnctl.explanation.methods.occlusion import Occlusion
from cnnctl.explanation.methods.saliency import Saliency
from cnnctl.explanation.methods.shap import Shap

_ALL: tuple[Method, ...] = (
    Filters(),
    FeatureMaps(),
    GradCam(),
    LayerCam(),
    Saliency(),
    IntegratedGradients(),
    Occlusion(),
    Lime(),
    Shap(),
    Maximise(),
    Neighbours(),
    Adversarial(),
)

METHODS: Methods = {method.name: method for method in _ALL}
