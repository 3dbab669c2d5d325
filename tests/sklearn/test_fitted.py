import io
import json
import pickle
import random
from pathlib import Path

import joblib
import numpy as np
import polars
import pytest
import torch
from sklearn.exceptions import NotFittedError

from cnnctl.data.samples import Samples
from cnnctl.errors import FaultError
from cnnctl.prediction.answers import answer
from cnnctl.sklearn import Classifier
from cnnctl.trained import open_trained
from tests.conftest import invoke
from tests.sklearn.examples import CNN, MLP, fitted, iris, line, pictures, regressor


def test_a_pickle_predicts_the_same_bits_and_holds_plain_data() -> None:
    inputs, _ = iris()
    classifier = fitted()
    content = pickle.dumps(classifier)
    assert b"cnnctl.model" not in content
    assert b"torch" not in content.replace(b"torchvision", b"")
    copy = pickle.loads(content)
    assert np.array_equal(copy.predict_proba(inputs), classifier.predict_proba(inputs))
    assert np.array_equal(copy.predict(inputs), classifier.predict(inputs))


def test_joblib_keeps_pictures_regressors_and_what_is_not_fitted() -> None:
    images, digits = pictures("uint8")
    inputs, values = line(20)
    classifier = Classifier(CNN, train__epochs=1).fit(images[:100], digits[:100])
    fit = regressor(train__epochs=1).fit(inputs, values)
    file = io.BytesIO()
    joblib.dump((classifier, fit, Classifier(MLP, optimizer__lr=0.1)), file)
    file.seek(0)
    other_classifier, other_fit, unfitted = joblib.load(file)
    assert np.array_equal(other_classifier.predict(images), classifier.predict(images))
    assert np.array_equal(other_fit.predict(inputs), fit.predict(inputs))
    assert unfitted.get_params()["optimizer__lr"] == 0.1


def test_a_saved_network_answers_alike_elsewhere(tmp_path: Path) -> None:
    inputs, _ = iris()
    classifier = fitted()
    classifier.save(tmp_path / "iris.safetensors")
    trained = open_trained(tmp_path / "iris.safetensors", device="cpu")
    answers = answer(trained, torch.from_numpy(inputs.astype(np.float32)))
    numbers = np.array([each.numbers for [each] in answers], dtype=np.float32)
    assert np.array_equal(numbers, classifier.predict_proba(inputs))
    assert [each.ranked[0][0] for [each] in answers] == classifier.predict(inputs).tolist()


def test_the_predict_command_takes_rows_of_named_features(tmp_path: Path) -> None:
    inputs, species = iris()
    frame = polars.DataFrame(inputs, schema=["a", "b", "c", "d"])
    classifier = Classifier(MLP, random_state=0).fit(frame, species)
    classifier.save(tmp_path / "iris.safetensors")
    frame.select("d", "c", "b", "a").head(3).write_csv(tmp_path / "x.csv")
    done = invoke("predict", tmp_path / "iris.safetensors", tmp_path / "x.csv", "--jsonl")
    said = [json.loads(line)["class"] for line in done.stdout.splitlines()]
    assert said == classifier.predict(frame.head(3)).tolist()


def test_the_samples_of_a_saved_network_are_not_stored(tmp_path: Path) -> None:
    fitted().save(tmp_path / "iris.safetensors")
    data = open_trained(tmp_path / "iris.safetensors", device="cpu").experiment.data
    with pytest.raises(FaultError, match="given in Python and are not stored"):
        data.load("train", root=tmp_path)


def test_the_same_random_state_gives_the_same_bits() -> None:
    inputs, _ = iris()
    first, second = fitted(random_state=7), fitted(random_state=7)
    assert np.array_equal(first.predict_proba(inputs), second.predict_proba(inputs))
    other = fitted(random_state=8)
    assert not np.array_equal(first.predict_proba(inputs), other.predict_proba(inputs))


def test_a_failed_training_leaves_nothing_that_predicts() -> None:
    inputs, species = iris()
    classifier = Classifier(MLP, optimizer={"name": "sgd", "lr": 1e30})
    with pytest.raises(FaultError, match="the loss is not finite"):
        classifier.fit(inputs, species)
    with pytest.raises(NotFittedError):
        classifier.predict(inputs)


def test_a_saved_network_teaches_another(tmp_path: Path) -> None:
    inputs, _ = iris()
    teacher = tmp_path / "teacher.safetensors"
    fitted(train__epochs=30, optimizer={"name": "adam", "lr": 0.05}).save(teacher)
    student = fitted(distill={"teacher": str(teacher), "weight": 1.0}, optimizer="adam")
    assert "train_agreement" in student.history_[0]
    assert np.isfinite(student.predict_proba(inputs)).all()


def test_the_best_epoch_is_kept() -> None:
    images, digits = pictures("float32")
    classifier = Classifier(
        CNN, data__validation=0.3, train__epochs=5, optimizer__lr=0.3, random_state=4
    ).fit(images[:200], digits[:200])
    scores = [row["val_accuracy"] for row in classifier.history_]
    kept = max(row["epoch"] for row in classifier.history_ if row["kept"])
    assert scores[kept - 1] == max(scores)
    assert classifier._fitted.trained.epoch == kept


def test_early_stopping_ends_the_training() -> None:
    given = {"regularization__early_stopping": 2, "train__epochs": 200, "optimizer__lr": 0.5}
    classifier = fitted(data={"validation": 0.2}, optimizer="sgd", **given)
    assert classifier.n_iter_ < 200


def test_the_process_is_left_as_it_was(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)

    def state() -> list[object]:
        return [
            torch.get_rng_state().tolist(),
            str(np.random.get_state()),
            random.getstate(),
            torch.get_num_threads(),
            torch.get_float32_matmul_precision(),
            torch.backends.cudnn.deterministic,
            torch.are_deterministic_algorithms_enabled(),
        ]

    before = state()
    classifier = fitted(train={"epochs": 1, "precision": "bf16", "threads": 2})
    classifier.predict(iris()[0])
    assert state() == before
    assert capfd.readouterr() == ("", "")


def test_epochs_are_printed_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    fitted(verbose=True, train__epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_samples_are_not_needed_again() -> None:
    assert not any(isinstance(each, Samples) for each in vars(fitted()).values())
