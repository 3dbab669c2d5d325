from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone

from cnnctl import load
from cnnctl.data.image_set import resized
from cnnctl.errors import FaultError
from cnnctl.sklearn import Classifier
from tests.sklearn.examples import CNN, MLP, fitted, iris, pictures


def test_the_default_network_tells_iris_apart() -> None:
    inputs, species = iris()
    classifier = Classifier(random_state=0, train__epochs=30).fit(inputs[::2], species[::2])
    assert classifier.score(inputs[1::2], species[1::2]) > 0.85
    assert classifier.n_features_in_ == 4
    assert classifier.n_iter_ == len(classifier.history_) == 30


def test_classes_keep_their_names() -> None:
    inputs, species = iris()
    classifier = fitted()
    assert list(classifier.classes_) == ["setosa", "versicolor", "virginica"]
    assert classifier.predict(inputs).dtype == species.dtype
    data = classifier._fitted.trained.experiment.data
    assert data.whole().class_names == ("setosa", "versicolor", "virginica")


def test_the_likeliest_class_is_predicted_and_probabilities_add_up_to_1() -> None:
    inputs, _ = iris()
    classifier = fitted()
    probabilities = classifier.predict_proba(inputs)
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    likeliest = classifier.classes_[probabilities.argmax(axis=1)]
    assert (classifier.predict(inputs) == likeliest).all()


def test_a_sample_alone_gets_the_bits_that_it_gets_among_others() -> None:
    inputs, _ = iris()
    classifier = fitted()
    alone = np.concatenate([classifier.predict_proba(row[None]) for row in inputs[:9]])
    assert np.array_equal(alone, classifier.predict_proba(inputs)[:9])


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_pictures_are_told_apart_by_a_cnn(dtype: str) -> None:
    images, digits = pictures(dtype)
    classifier = Classifier(CNN, random_state=0).fit(images[:600], digits[:600])
    assert classifier.score(images[600:1000], digits[600:1000]) > 0.8


def test_a_number_means_the_same_in_every_dtype() -> None:
    images, digits = pictures("uint8")
    classifier = Classifier(CNN, random_state=0, train__epochs=1).fit(images[:100], digits[:100])
    as_floats = classifier.predict_proba(images[:50].astype(np.float64))
    np.testing.assert_allclose(as_floats, classifier.predict_proba(images[:50]), atol=1e-6)


def test_pictures_are_resized_for_a_network_of_another_size(tmp_path: Path) -> None:
    images, digits = pictures("uint8")
    classifier = Classifier("lenet", random_state=0, train__epochs=1)
    classifier.fit(images[:100], digits[:100])
    assert classifier._fitted.trained.plan.input == (1, 32, 32)
    found = classifier.predict_proba(images[:10])
    classifier.save(tmp_path / "digits.safetensors")
    network = load(tmp_path / "digits.safetensors", device="cpu")
    large = resized(torch.from_numpy(images[:10]), (32, 32))
    told = [[each["probabilities"][str(n)] for n in range(10)] for each in network.predict(large)]
    np.testing.assert_allclose(found, told, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_read_only_arrays_are_taken_without_a_warning() -> None:
    inputs, species = iris()
    inputs = inputs.astype(np.float32)
    inputs.setflags(write=False)
    classifier = Classifier(MLP, train__epochs=1).fit(inputs, species)
    assert len(classifier.predict(inputs)) == 150


def test_signals_are_told_apart() -> None:
    random = np.random.RandomState(0)
    classes = np.arange(80) % 2
    signals = random.normal(size=(80, 2, 12)) + classes[:, None, None]
    layers = [{"conv": {"out_channels": 4}}, "relu", "global_avg_pool", {"linear": "classes"}]
    given = {"model": {"layers": layers}, "optimizer": {"name": "adam", "lr": 0.05}}
    classifier = Classifier(given, data__batch_size=16, random_state=0).fit(signals, classes)
    assert classifier.score(signals, classes) > 0.9


def test_labels_are_predicted_as_0_and_1() -> None:
    inputs, species = iris()
    labels = np.stack([species == "setosa", inputs[:, 0] > 5.8], axis=1).astype(int)
    classifier = Classifier(train__epochs=15, random_state=0).fit(inputs, labels)
    assert classifier.predict_proba(inputs).shape == (150, 2)
    found = classifier.predict(inputs)
    assert set(found.ravel()) == {0, 1}
    assert (found == labels).mean() > 0.9
    assert (found == (classifier.predict_proba(inputs) > 0.5)).all()


def test_class_weights_of_the_loss_favour_rare_classes() -> None:
    random = np.random.RandomState(0)
    rare = np.arange(200) % 10 == 0
    inputs = random.normal(size=(200, 2)) + 1.2 * rare[:, None]
    plain = Classifier(train__epochs=10, random_state=0)
    weighted = clone(plain).set_params(loss__weight="balanced").fit(inputs, rare)
    plain.fit(inputs, rare)
    assert weighted.predict(inputs).sum() > 2 * plain.predict(inputs).sum()


def test_what_is_no_data_for_a_classifier_is_refused() -> None:
    inputs, species = iris()
    holed = np.where(inputs > 7, np.nan, inputs)
    for wrong, message in (
        (holed, "contains NaN"),
        (inputs[:9], "inconsistent numbers of samples"),
    ):
        with pytest.raises(ValueError, match=message):
            Classifier(MLP).fit(wrong, species)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        Classifier(MLP).fit(csr_matrix(inputs), species)
    with pytest.raises(ValueError, match="only one class"):
        Classifier(MLP).fit(inputs, ["a"] * 150)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        Classifier(MLP).fit(inputs, inputs[:, 0])


def test_pictures_of_another_size_are_refused() -> None:
    images, digits = pictures("uint8")
    classifier = Classifier(CNN, random_state=0, train__epochs=1).fit(images[:100], digits[:100])
    with pytest.raises(ValueError, match=r"shape \(1, 6, 8\), but .* \(1, 8, 8\)"):
        classifier.predict(images[:, :, :6])


def test_a_network_that_does_not_fit_the_data_is_a_fault_with_its_place() -> None:
    inputs, species = iris()
    with pytest.raises(FaultError, match=r"<string>:8:.*conv needs an image or a signal"):
        Classifier(CNN.replace("data:", "\n\n\n\ndata:")).fit(inputs, species)
