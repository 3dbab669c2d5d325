"""scikit-learn estimators whose networks are described in YAML; see docs/sklearn.md."""

from cnnctl.process import set_library_options

set_library_options()

from cnnctl.sklearn.classifier import Classifier  # noqa: E402
from cnnctl.sklearn.regressor import Regressor  # noqa: E402

__all__ = ["Classifier", "Regressor"]
