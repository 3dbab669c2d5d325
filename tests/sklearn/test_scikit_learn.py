"""The estimators in scikit-learn's own tools, and by its own checks."""

from typing import Any

import numpy as np
import polars
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnctl.sklearn import Classifier, Regressor
from tests.sklearn.examples import CNN, MLP, iris, line, pictures, regressor


def test_a_grid_search_sets_options_of_a_network_in_yaml() -> None:
    inputs, species = iris()
    grid = {"optimizer__lr": [1e-6, 0.05], "model__layers__0__linear": [4, 16]}
    config = MLP + "optimizer: {name: adam}\n"
    search = GridSearchCV(Classifier(config, random_state=0, train__epochs=6), grid, cv=2)
    search.fit(inputs, species)
    assert search.best_params_["optimizer__lr"] == 0.05
    assert search.best_score_ > 0.8
    wide = search.best_params_["model__layers__0__linear"]
    assert next(search.best_estimator_.network_.parameters()).shape == (wide, 4)


def test_a_pipeline_scales_before_a_network_that_does_not() -> None:
    inputs, species = iris()
    unscaled = Classifier(MLP, data={"normalize": None}, random_state=0, optimizer="adam")
    pipeline = make_pipeline(StandardScaler(), unscaled)
    pipeline.set_params(classifier__optimizer__lr=0.03, classifier__train__epochs=10)
    assert pipeline.fit(inputs, species).score(inputs, species) > 0.8
    assert pipeline[-1]._fitted.trained.experiment.data.normalize is None


def test_cross_validation_measures_a_regressor() -> None:
    inputs, values = line()
    assert cross_val_score(regressor(), inputs, values, cv=2).min() > 0.9


def test_features_of_a_data_frame_keep_their_names() -> None:
    inputs, species = iris()
    names = ["sepal length", "sepal width", "petal length", "petal width"]
    frame = polars.DataFrame(inputs, schema=names)
    classifier = Classifier(MLP, random_state=0).fit(frame, species)
    assert classifier.feature_names_in_.tolist() == names
    data = classifier._fitted.trained.experiment.data
    assert [feature.name for feature in data.features()] == names
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.select(reversed(names)))


@pytest.mark.long
def test_workers_find_what_a_single_process_finds() -> None:
    inputs, species = iris()
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    given: dict[str, Any] = {"config": MLP, "random_state": 0, "train__threads": 1}
    alone, apart = (
        GridSearchCV(Classifier(**given), {"train__epochs": [1, 5]}, cv=folds, n_jobs=jobs).fit(
            inputs, species
        )
        for jobs in (None, 2)
    )
    for key in ("split0_test_score", "split2_test_score", "mean_test_score"):
        assert np.array_equal(alone.cv_results_[key], apart.cv_results_[key])


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*converge")
def test_the_default_network_is_as_good_as_that_of_scikit_learn() -> None:
    for (inputs, classes), repeats in ((load_digits(return_X_y=True), 1), (iris(), 6)):
        folds = RepeatedStratifiedKFold(n_splits=3, n_repeats=repeats, random_state=0)
        theirs = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
        own, other = (
            cross_val_score(each, inputs, classes, cv=folds).mean()
            for each in (Classifier(random_state=0), theirs)
        )
        assert own > other - 0.015


@pytest.mark.long
def test_a_cnn_reads_digits() -> None:
    images, digits = pictures("uint8")
    classifier = Classifier(CNN, random_state=0, train__epochs=20)
    assert cross_val_score(classifier, images, digits, cv=3).mean() > 0.92


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [Classifier(), Regressor()])
def test_the_checks_of_scikit_learn_pass_without_exception(estimator: Any) -> None:
    from sklearn.utils.estimator_checks import check_estimator

    results = check_estimator(estimator, on_skip=None)
    assert len(results) > 45
    assert not [each for each in results if each["status"] not in ("passed", "skipped")]
