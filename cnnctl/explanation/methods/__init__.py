"""The methods; a new one is a class in a file of its own, and its entry in METHODS."""

from __future__ import annotations

from cnnctl.explanation.method import Method, Methods
from cnnctl.explanation.methods.adversarial import Adversarial
from cnnctl.explanation.methods.saliency import Saliency

_ALL: tuple[Method, ...] = (
    Saliency(),
    Adversarial(),
)

METHODS: Methods = {method.name: method for method in _ALL}
