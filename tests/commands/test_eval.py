"""`cnnctl eval`: what it says is what anyone computes from the checkpoint alone."""

from __future__ import annotations

import json
import re
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from sklearn import metrics
from torch import Tensor, nn

from cnnctl.checkpoint import load
from cnnctl.data.sources.diabetes import Diabetes
from cnnctl.data.sources.digits import Digits
from tests.conftest import invoke


def measured(*arguments: str | Path) -> dict[str, Any]:
    done = invoke("eval", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(code: int, *arguments: str | Path) -> str:
    done = invoke("eval", *arguments)
    assert done.exit_code == code, done.output
    assert not done.stdout
    return str(done.stderr)


def in_plain_torch(path: Path, prefix: str, layers: dict[str, nn.Module], inputs: Tensor) -> Tensor:
    """The outputs of weights that plain safetensors reads, in layers of these names."""
    network = nn.Sequential(OrderedDict(layers))
    tensors = load_file(path)
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    with torch.no_grad():
        outputs: Tensor = network(inputs).double()
    return outputs


def normalization(run: Path, name: str = "normalize") -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation that the run's config.yaml holds."""
    data = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["data"]
    return torch.tensor(data[name]["mean"]), torch.tensor(data[name]["std"])


def shares_of(run: Path, checkpoint: str, prefix: str) -> tuple[Any, Any]:
    """The probabilities of the digits' test images, and their classes."""
    mean, std = normalization(run)
    samples = Digits().load("test", root=run)
    layers: dict[str, nn.Module] = {
        "flatten1": nn.Flatten(),
        "linear1": nn.Linear(64, 16),
        "relu1": nn.ReLU(),
        "linear2": nn.Linear(16, 10),
    }
    pixels = samples.rows.take(torch.arange(len(samples)))
    inputs = (pixels / 255 - mean) / std
    outputs = in_plain_torch(run / "checkpoints" / checkpoint, prefix, layers, inputs)
    return outputs.softmax(1).numpy(), samples.targets.numpy()


def test_the_numbers_are_those_of_scikit_learn(digits_run: Path) -> None:
    shares, classes = shares_of(digits_run, "best.safetensors", "model.")
    predicted = shares.argmax(1)
    found = measured(digits_run)
    assert found["samples"] == 360
    assert found["loss"] == pytest.approx(metrics.log_loss(classes, shares), rel=1e-5)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(classes, predicted))
    assert found["top5"] == pytest.approx(metrics.top_k_accuracy_score(classes, shares, k=5))
    assert found["confusion"] == metrics.confusion_matrix(classes, predicted).tolist()
    scores = metrics.precision_recall_fscore_support(classes, predicted, zero_division=0)
    for number, row in enumerate(found["classes"]):
        assert row["name"] == str(number)
        given = [row[name] for name in ("precision", "recall", "f1", "support")]
        assert given == pytest.approx([column[number] for column in scores])
    for average in ("macro", "weighted"):
        mean = metrics.precision_recall_fscore_support(
            classes, predicted, average=average, zero_division=0
        )
        given = [found[average][name] for name in ("precision", "recall", "f1")]
        assert given == pytest.approx(mean[:3])


def test_the_last_checkpoint_is_evaluated_by_its_averaged_weights(digits_run: Path) -> None:
    shares, classes = shares_of(digits_run, "last.safetensors", "average.")
    found = measured(digits_run / "checkpoints" / "last.safetensors")
    assert found["loss"] == pytest.approx(metrics.log_loss(classes, shares), rel=1e-5)
    others, _ = shares_of(digits_run, "last.safetensors", "model.")
    assert found["loss"] != pytest.approx(metrics.log_loss(classes, others), rel=1e-3)


def test_training_and_eval_say_the_same_of_the_test_split(digits_run: Path) -> None:
    said = (digits_run.parents[1] / "output.txt").read_text(encoding="utf-8")
    found = measured(digits_run)
    assert f"test: loss {found['loss']:.4f}, accuracy {found['accuracy']:.2%}" in said


def test_a_regression_is_measured_in_its_own_units(diabetes_run: Path) -> None:
    samples = Diabetes().load("test", root=diabetes_run)
    (mean, std), (middle, scale) = (
        normalization(diabetes_run, name) for name in ("normalize", "normalize_targets")
    )
    layers: dict[str, nn.Module] = {
        "linear1": nn.Linear(10, 4),
        "tanh1": nn.Tanh(),
        "linear2": nn.Linear(4, 1),
    }
    inputs = (samples.rows.take(torch.arange(len(samples))) - mean) / std
    outputs = in_plain_torch(best(diabetes_run), "model.", layers, inputs)
    predicted, wanted = (outputs * scale + middle).numpy(), samples.targets.numpy()

    found = measured(diabetes_run)
    assert 20 < found["mae"] < 200
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(wanted, predicted), rel=1e-5)
    squared = metrics.mean_squared_error(wanted, predicted)
    assert found["rmse"] == pytest.approx(np.sqrt(squared), rel=1e-5)
    assert found["r2"] == pytest.approx(metrics.r2_score(wanted, predicted), rel=1e-4)
    # the loss is that of training, in units of the targets' deviation
    assert found["loss"] == pytest.approx(squared / float(scale) ** 2, rel=1e-5)


@pytest.mark.parametrize(("split", "samples"), [("validation", 144), ("train", 1293)])
def test_every_split_can_be_measured(digits_run: Path, split: str, samples: int) -> None:
    found = measured(digits_run, "--split", split)
    assert found["samples"] == samples
    if split == "validation":
        assert found["accuracy"] == pytest.approx(
            load(best(digits_run)).document["counters"]["best"]
        )


def best(run: Path) -> Path:
    return run / "checkpoints" / "best.safetensors"


def test_an_empty_split_is_reported(diabetes_run: Path) -> None:
    said = refused(3, diabetes_run, "--split", "validation")
    assert "the validation split of diabetes is empty\n    use --split test or train" in said


def test_outputs_are_averaged_over_views(digits_run: Path) -> None:
    mean, std = normalization(digits_run)
    samples = Digits().load("test", root=digits_run)
    layers: dict[str, nn.Module] = {
        "flatten1": nn.Flatten(),
        "linear1": nn.Linear(64, 16),
        "relu1": nn.ReLU(),
        "linear2": nn.Linear(16, 10),
    }
    inputs = (samples.rows.take(torch.arange(len(samples))) / 255 - mean) / std
    logits = sum(
        in_plain_torch(best(digits_run), "model.", layers, view) / 2
        for view in (inputs, inputs.flip(3))
    )
    assert isinstance(logits, Tensor)
    shares, classes = logits.softmax(1).numpy(), samples.targets.numpy()
    found = measured(digits_run, "--views", "2")
    assert found["views"] == 2
    assert found["loss"] == pytest.approx(metrics.log_loss(classes, shares), rel=1e-5)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(classes, shares.argmax(1)))
    assert measured(digits_run)["views"] == 1
    assert ": test split, 2 views\n" in invoke("eval", digits_run, "--views", "2").stdout


def test_views_that_do_not_exist_are_refused(digits_run: Path, diabetes_run: Path) -> None:
    said = refused(2, digits_run, "--views", "4")
    assert "there are no sets of 4 views\n    use 2, 3 or 6" in said
    said = refused(2, diabetes_run, "--views", "2")
    assert "--views 2 needs images, but the samples are vectors of 10" in said


def test_the_batch_size_changes_nothing(digits_run: Path) -> None:
    one, other = measured(digits_run), measured(digits_run, "--batch-size", "7")
    assert one["confusion"] == other["confusion"]
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


def test_a_checkpoint_is_enough_by_itself(digits_run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "netz für später.safetensors"
    shutil.copy(best(digits_run), alone)
    assert measured(alone) == measured(digits_run) | {"checkpoint": str(alone)}


def test_a_table_shows_the_same_numbers(digits_run: Path) -> None:
    found, shown = measured(digits_run), invoke("eval", digits_run).stdout
    headline = f"loss {found['loss']:.4f}, accuracy {100 * found['accuracy']:.2f} % on 360 samples"
    assert f": test split\n{headline}" in shown
    assert re.search(r"macro average +\d", shown)
    assert "\x1b" not in shown


def test_what_holds_no_weights_is_refused(tmp_path: Path, tiny: Path) -> None:
    assert "nowhere: cannot be read: No such file" in refused(4, tmp_path / "nowhere")
    assert "is a configuration without weights" in refused(4, tiny)
    assert "has no checkpoints" in refused(4, tmp_path)
    torch.save({"weight": torch.ones(2)}, tmp_path / "model.pt")
    assert "is a pickle" in refused(4, tmp_path / "model.pt")


def test_an_unknown_or_missing_device_is_a_usage_error(digits_run: Path) -> None:
    assert "gpu is not a device" in refused(2, digits_run, "--device", "gpu")
    assert "no cuda:99:" in refused(2, digits_run, "--device", "cuda:99")


def test_no_memory_left_is_reported_with_the_batch_size(
    digits_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("cnnctl.evaluation.evaluate.outputs_of_all", fail)
    said = refused(8, digits_run, "--batch-size", "512", "--device", "cpu")
    assert "out of memory on cpu with --batch-size=512\n    use a smaller --batch-size" in said


def test_the_weights_that_are_measured_are_named(digits_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(digits_run, tmp_path / "run")
    best, last = (load(run / "checkpoints" / f"{name}.safetensors") for name in ("best", "last"))
    done = invoke("eval", run)
    assert not done.stderr
    assert done.stdout.startswith(f"best.safetensors, epoch {best.epoch}: test split\n")
    (run / "checkpoints" / "best.safetensors").unlink()
    done = invoke("eval", run)
    assert done.stderr == f"{run}: best.safetensors is missing; evaluating last.safetensors\n"
    assert done.stdout.startswith(f"last.safetensors, epoch {last.epoch}: test split\n")
    found = measured(run)
    assert found["checkpoint"] == str(run / "checkpoints" / "last.safetensors")
    assert found["epoch"] == last.epoch
    # a file that is named is what was meant
    assert not invoke("eval", run / "checkpoints" / "last.safetensors").stderr


INLINE = """
data: {name: inline, inputs: [[0, 1], [1, 0], [1, 1], [0, 0]], targets: [0, 1, 1, 0]%s}
model: {layers: [linear: classes]}
train: {epochs: 2, precision: fp32}
"""


def trained_inline(folder: Path, more: str) -> tuple[Path, str]:
    """A run on four samples, and what its training printed."""
    (folder / "few.yaml").write_text(INLINE % more, encoding="utf-8")
    done = invoke("train", folder / "few.yaml", "--runs", folder / "runs")
    assert done.exit_code == 0, done.output
    return folder / "runs" / "few", done.output


def test_without_a_test_split_the_training_gives_no_test_result(tmp_path: Path) -> None:
    run, said = trained_inline(tmp_path, ", classes: [blue, red]")
    assert "inline: 4 train, no test split" in said
    assert "test:" not in said
    assert "no validation split; kept the last epoch, 2: training" in said
    assert f"next: cnnctl eval {run}" in said
    found = measured(run)
    assert found["split"] == "train"
    assert [scores["name"] for scores in found["classes"]] == ["blue", "red"]
    shown = invoke("eval", run).stdout
    assert ": train split (no test split)\n" in shown
    assert "the test split of inline is empty\n    use --split train" in refused(
        3, run, "--split", "test"
    )


def test_without_a_test_split_validation_comes_first(tmp_path: Path) -> None:
    run, _ = trained_inline(tmp_path, ", validation: 0.5")
    assert (measured(run)["split"], measured(run)["samples"]) == ("validation", 2)
    assert measured(run, "--split", "train")["split"] == "train"


def test_test_samples_that_are_written_are_measured(tmp_path: Path) -> None:
    more = ", test_inputs: [[1, 2], [2, 2], [0, 3]], test_targets: [1, 1, 0]"
    run, said = trained_inline(tmp_path, more)
    assert "inline: 4 train, 3 test" in said
    assert "test: loss" in said
    assert (measured(run)["split"], measured(run)["samples"]) == ("test", 3)


def test_a_data_folder_that_is_not_read_is_reported(tmp_path: Path) -> None:
    run, _ = trained_inline(tmp_path, "")
    done = invoke("eval", run, "--data", tmp_path, "--json")
    assert done.exit_code == 0
    assert "note: inline needs no files, so --data has no effect" in done.stderr
    assert json.loads(done.stdout)["samples"] == 4
