"""scikit-learn estimators whose networks are described in YAML; see docs/sklearn.md."""

from cnnctl.sklearn.classifier import Classifier
from cnnctl.sklearn.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
