"""What the estimators share: parameters, fitting, and predictions of a fitted network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from cnnctl.api.sources import Config
from cnnctl.data.samples import Samples
from cnnctl.data.sources.memory import Memory
from cnnctl.sklearn.arrays import dtype_of, stored, white_of
from cnnctl.sklearn.configuration import experiment_on, read
from cnnctl.sklearn.fitted import FittedNetwork
from cnnctl.sklearn.fitting import trained_in_memory
from cnnctl.sklearn.parameters import check_names, is_option, overrides_of
from cnnctl.storage import write_atomically

Array = NDArray[Any]
SEEDS = 2**31 - 1


class Estimator(BaseEstimator):
    """The base of estimators whose network and training are an experiment.

    Args:
        config: YAML as text or as a mapping, the path of a YAML file, or the name of a shipped
            experiment or of a zoo network; None for a small MLP. Its data are replaced by those
            that are fitted; options such as `batch_size`, `validation` and `augment` are kept.
        data, model, loss, distill, optimizer, scheduler, regularization, train: sections of an
            experiment, as in YAML, over those of `config`; see `cnnctl.train`.
        random_state: seed of weights, sample order, augmentation and validation split; None for the
            seed of `config`, or a random one if it names none.
        device: `cpu`, `cuda`, …; None for that of `config`, by default a GPU if there is one.
        verbose: print a line for each epoch.
        options: single options, such as `optimizer__lr=0.1` or `model__layers__0__linear=64`.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        data: Any = None,
        model: Any = None,
        loss: Any = None,
        distill: Any = None,
        optimizer: Any = None,
        scheduler: Any = None,
        regularization: Any = None,
        train: Any = None,
        random_state: Any = None,
        device: str | None = None,
        verbose: bool = False,
        **options: Any,
    ) -> None:
        self.config = config
        self.data = data
        self.model = model
        self.loss = loss
        self.distill = distill
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.regularization = regularization
        self.train = train
        self.random_state = random_state
        self.device = device
        self.verbose = verbose
        self.__dict__.update(options)  # checked by `fit`, as scikit-learn has it

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, with every option that was set."""
        own: dict[str, Any] = super().get_params(deep=False)
        given = {name: value for name, value in vars(self).items() if _is_given(name)}
        return own | given

    def set_params(self, **params: Any) -> Self:
        """Set parameters, sections or single options.

        Raises:
            ValueError: a name is none of these.
        """
        known = self.get_params()
        for name, value in params.items():
            if name not in known and not is_option(name):
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. Valid "
                    f"parameters are: {sorted(known)}, and options such as 'optimizer__lr'."
                )
            setattr(self, name, value)
        return self

    def save(self, path: str | Path) -> None:
        """Write the fitted network as a checkpoint, which `cnnctl predict` and others take.

        Raises:
            FaultError: it cannot be written.
        """
        check_is_fitted(self)
        write_atomically(Path(path), self._fitted.content)

    def __sklearn_is_fitted__(self) -> bool:
        """Whether training came to its end."""
        return hasattr(self, "_fitted")

    @property
    def network_(self) -> torch.nn.Module:
        """The fitted network, in evaluation mode; it takes normalised inputs."""
        check_is_fitted(self)
        return self._fitted.trained.network

    def _fit_to(self, inputs: Array, targets: Tensor, **described: Any) -> None:
        """Train on checked inputs (N, …) and encoded targets, which `described` describes.

        Raises:
            FaultError: faults of the parameters; or training fails.
        """
        configuration, white = read(self.config), white_of(inputs)
        form = Memory(
            shape=[*inputs.shape[1:]],
            samples=len(inputs),
            names=[*map(str, getattr(self, "feature_names_in_", ()))],
            white=white,
            **described,
        )
        loaded = experiment_on(
            Samples(stored(inputs, white=white), targets),
            form,
            configuration=configuration,
            overrides=self._overrides(),
            seed=self._seed(has_own=configuration.has_seed),
        )
        checkpoint, self.history_ = trained_in_memory(loaded, verbose=self.verbose)
        self.n_iter_ = len(self.history_)
        self._fitted = FittedNetwork.of(checkpoint, device=loaded.experiment.train.device)

    def _overrides(self) -> Sequence[str]:
        check_names(self.get_params(), self._get_param_names())
        device = [f"train.device={self.device}"] if self.device is not None else []
        return [*overrides_of(self.get_params()), *device]

    def _seed(self, *, has_own: bool) -> int | None:
        """The seed to set; None for that of the configuration, if it has its own."""
        state = self.random_state
        if state is None and has_own:
            return None
        if isinstance(state, int | np.integer) and not isinstance(state, bool):
            return int(state)
        return int(check_random_state(state).randint(SEEDS))

    def _checked(self, inputs: Any, **checks: Any) -> Any:
        """What scikit-learn's checks make of inputs, and of targets if there are any."""
        return validate_data(self, inputs, dtype=dtype_of(inputs), allow_nd=True, **checks)

    def _numbers(self, inputs: Any) -> Array:
        """Probabilities of classes or labels, or values, (N, outputs) float32."""
        check_is_fitted(self)
        checked = self._checked(inputs, reset=False)
        data = self._fitted.trained.experiment.data
        assert isinstance(data, Memory)
        if list(checked.shape[1:]) != data.shape:
            raise ValueError(
                f"X has samples of shape {checked.shape[1:]}, but {type(self).__name__} "
                f"was fitted to samples of shape {tuple(data.shape)}."
            )
        inputs = data.resized(stored(checked, white=data.white))
        numbers: Array = self._fitted.numbers(inputs).numpy()
        return numbers


def _is_given(name: str) -> bool:
    """Whether an attribute is a parameter: neither private nor a result of fitting."""
    return not name.startswith("_") and not name.endswith("_")
