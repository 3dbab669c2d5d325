"""What no section can see alone, and how a file's faults are told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cnnctl.config.source import Place, locate
from cnnctl.errors import FaultError, config_fault
from cnnctl.experiment import Experiment, check, load

Faults = Callable[..., list[str]]

M = "model: {layers: [flatten, linear: classes]}"
MLP = "model: {layers: [linear: 8, relu, linear: classes]}"
TAGS = "data: {name: fake, shape: [8], classes: 5, multilabel: true}"
VALUES = "data: diabetes\nloss: mse\nmodel: {layers: [linear: 1]}"

DESIGN = """\
# the example of the design, on the lines that it names
name: cifar
seed: 0
data:
  name: cifar10
  batch_size: 128
  augment:
    - horizontal_flip
    - crop: 4

model:
  layers:
    - conv: {out_channels: 32, kernel_size: 5, padding: 2}
    - relu
    - max_pool: 4
    - conv: {out_channels: 64, kernel_size: 5, padding: 2}
    - relu
    - max_pool: {kernel_size: 4, stride: 2}

    # 3x3 is left of the image
    - conv:
        out_channels: 64
        kernel_size: 5
    - relu
    - flatten
    - linear: classes

loss: cross_entropy
optimizer:
  name: sgd
  momentun: 0.9
  lr: 0.05
train: {epochs: 30}
"""


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Everything that is wrong with a file, as the user reads it."""

    def faults(text: str, *overrides: str) -> list[str]:
        monkeypatch.chdir(tmp_path)
        Path("x.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(FaultError) as raised:
            load(Path("x.yaml"), overrides)
        assert raised.value.exit_code == 2
        return [str(fault) for fault in raised.value.faults]

    return faults


def test_faults_are_told_as_the_design_shows_them(faults: Faults) -> None:
    assert faults(DESIGN) == [
        "x.yaml:23:22: model.layers.6.conv.kernel_size: "
        "5 does not fit an input of 3x3 with 64 channels\n"
        "    use kernel_size <= 3, or add padding",
        "x.yaml:31:3: optimizer.momentun: no such option\n    did you mean momentum?",
    ]


RULES = [
    # data
    (
        f"data: {{name: digits, normalize: {{mean: [0, 0], std: [1]}}}}\n{M}",
        "1:40: data.normalize.mean: 2 numbers, but 1 needed",
        "give one per channel",
    ),
    (
        f"data: {{name: digits, validation: 0.0001}}\n{M}",
        "1:34: data.validation: 0.0001 of 1437 samples leaves none for validation",
        "closer to 0.5",
    ),
    (
        f"data: {{name: moons, batch_size: 901}}\n{MLP}",
        "1:33: data.batch_size: 901 exceeds the 900 training samples",
        "use a batch_size <= 900, or all",
    ),
    # augmentations against data and loss
    (
        f"data: {{name: moons, augment: [crop]}}\n{MLP}",
        "1:31: data.augment.0.crop: crop needs images, but the samples are vectors of 2",
        "leave it out",
    ),
    (
        f"data: {{name: digits, augment: [horizontal_flip, cutout: 9]}}\n{M}",
        "1:57: data.augment.1.cutout.size: a square of 9 pixels does not fit images of 8x8",
        "use size <= 8",
    ),
    (
        f"data: {{name: digits, augment: [mixup]}}\nloss: nll\n{M}",
        "1:32: data.augment.0.mixup: mixup mixes targets, which nll does not support",
        "use cross_entropy",
    ),
    (
        "data: {name: diabetes, augment: [mixup]}\nloss: mse\nmodel: {layers: [linear: 1]}",
        "1:34: data.augment.0.mixup: mixup mixes classes, but diabetes has none",
        "leave it out",
    ),
    # loss against network and data
    (
        f"data: diabetes\n{MLP}",
        "1:1: loss: cross_entropy needs classes, but the data has regression targets",
        "use mse, mae, huber or smooth_l1",
    ),
    (
        "loss: mse\nmodel: {layers: [flatten, linear: 9]}",
        "2:35: model.layers.1.linear: the network outputs 9 values, but the data has 10 classes",
        "end the network with linear: classes",
    ),
    (
        "model: {layers: [conv: 10]}",
        "1:24: model.layers.0.conv: cross_entropy needs a vector, but the network outputs 10x6x6",
        "end the network with flatten and linear: classes",
    ),
    (
        f"loss: {{name: cross_entropy, weight: [1, 2]}}\n{M}",
        "1:37: loss.weight: has 2 numbers, but 10 are needed",
        "give one number per class",
    ),
    # labels
    (
        f"{TAGS}\n{MLP}",
        "1:1: loss: cross_entropy needs classes, but the data has several labels per sample",
        "use bce or bce_with_logits",
    ),
    (
        f"{TAGS}\nloss: bce\nmodel: {{layers: [linear: 3]}}",
        "3:26: model.layers.0.linear: the network outputs 3 values, but the data has 5 labels",
        "end the network with linear: classes",
    ),
    (
        f"{TAGS}\nloss: {{name: bce, threshold: [0.5, 0.1]}}\n{MLP}",
        "2:30: loss.threshold: has 2 numbers, but 5 are needed",
        "give one number per label",
    ),
    (
        f"{TAGS}\nloss: bce\n{MLP}\ntrain: {{monitor: kappa}}",
        "4:18: train.monitor: kappa is for classes, but fake has labels",
        "use loss, accuracy, macro_f1, micro_f1, average_precision or hamming_loss",
    ),
    (
        f"{M}\ntrain: {{monitor: average_precision}}",
        "2:18: train.monitor: mAP is for labels, but digits has classes",
        "use loss, accuracy, balanced_accuracy, kappa or macro_f1",
    ),
    (
        f"{TAGS}\nloss: bce\n{MLP}\nregularization: {{label_smoothing: 0.1}}",
        "4:35: regularization.label_smoothing: bce does not support label smoothing",
        "use cross_entropy, or remove it",
    ),
    # what is watched
    (
        f"{VALUES}\ntrain: {{monitor: accuracy}}",
        "4:18: train.monitor: diabetes is a regression dataset, so there is no accuracy",
        "use loss",
    ),
    (
        f"{VALUES}\ntrain: {{monitor: kappa}}",
        "4:18: train.monitor: diabetes is a regression dataset, so there is no kappa",
        "use loss",
    ),
    (
        f"{M}\ndata: {{name: digits, validation: 0}}\ntrain: {{monitor: kappa}}",
        "3:18: train.monitor: there is no validation split to measure kappa on",
        "set data.validation=0.1, or use auto",
    ),
    (
        f"{VALUES}\nregularization: {{early_stopping: {{monitor: accuracy}}}}",
        "4:44: regularization.early_stopping.monitor: there is no accuracy to monitor",
        "use loss",
    ),
    (
        f"{M}\ndata: {{name: digits, validation: 0}}\nregularization: {{early_stopping: 3}}",
        "3:34: regularization.early_stopping: early stopping needs a validation split",
        "set data.validation=0.1",
    ),
    (
        f"{VALUES}\nscheduler: {{name: plateau, mode: max}}",
        "4:34: scheduler.mode: there is no accuracy to monitor",
        "use min",
    ),
    (
        f"{VALUES}\nscheduler: {{name: plateau, monitor: kappa}}",
        "4:37: scheduler.monitor: there is no kappa to monitor",
        "use loss",
    ),
    (
        f"{M}\nscheduler: {{name: plateau, monitor: kappa, mode: min}}",
        "2:50: scheduler.mode: min would reduce the rate when kappa improves",
        "use max, or leave it out",
    ),
    (
        f"{M}\ndata: {{name: digits, validation: 0}}\nscheduler: {{name: plateau, monitor: kappa}}",
        "3:37: scheduler.monitor: there is no validation split to measure kappa on",
        "set data.validation=0.1, or use auto",
    ),
    # scheduler against the run's length and the learning rate
    (
        f"{M}\nscheduler: {{name: cosine, warmup: 10}}",
        "2:35: scheduler.warmup: a warm-up of 10 epochs takes all 10 epochs",
        "shorten it, or train longer",
    ),
    (
        f"{M}\nscheduler: {{name: cosine, eta_min: 0.1}}",
        "2:36: scheduler.eta_min: is above the optimizer's learning rate of 0.001",
        "choose a lower one",
    ),
    # what two sections both set
    (
        f"{M}\noptimizer: adamw\nregularization: {{weight_decay: 0.1}}",
        "3:32: regularization.weight_decay: adamw already has a weight decay of 0.01",
        "remove this one",
    ),
    (
        f"{M}\noptimizer: lbfgs\nregularization: {{weight_decay: 0.1}}",
        "3:32: regularization.weight_decay: lbfgs has no weight decay",
        "use l2",
    ),
    (
        f"{M}\nloss: nll\nregularization: {{label_smoothing: 0.1}}",
        "3:35: regularization.label_smoothing: nll does not support label smoothing",
        "use cross_entropy",
    ),
    (
        f"{M}\nloss: {{name: cross_entropy, label_smoothing: 0.1}}\n"
        "regularization: {label_smoothing: 0.1}",
        "3:35: regularization.label_smoothing: cross_entropy already has label smoothing",
        "leave one of them out",
    ),
    # images that grow
    (
        f"{M}\ntrain: {{progressive_resizing: {{}}}}",
        "2:31: train.progressive_resizing: linear1 has weights for a vector of 64, but images of "
        "4x4 give a vector of 16",
        "add global_avg_pool or adaptive_avg_pool before it",
    ),
    (
        f"data: moons\n{MLP}\ntrain: {{progressive_resizing: {{}}}}",
        "3:31: train.progressive_resizing: progressive_resizing needs images",
        "leave it out",
    ),
    (
        "data: digits\nmodel: {layers: [conv: 2, global_avg_pool, linear: 10]}\n"
        "train: {progressive_resizing: {}, max_minutes: 1}",
        "3:31: train.progressive_resizing: cannot be combined with train.max_minutes",
        "leave one of them out",
    ),
    # the network as a whole
    (
        "data: moons\nmodel: {layers: [tanh]}",
        "2:17: model.layers: no layer has weights",
        "add - linear: classes",
    ),
    (
        "data: {name: moons, batch_size: 1}\nmodel: {layers: [linear: 8, batch_norm, linear: 2]}",
        "2:29: model.layers.1.batch_norm: batch_norm cannot train on a batch of one sample",
        "use data.batch_size >= 2",
    ),
    (
        "data: {name: moons, samples: 101, validation: 0, batch_size: 20}\n"
        "model: {layers: [linear: 8, batch_norm: {eps: 0.1}, linear: 2]}",
        "2:41: model.layers.1.batch_norm: batch_norm cannot train on a batch of one sample",
        "the last batch has 1 of 101 samples; set data.drop_last=true",
    ),
]


@pytest.mark.parametrize(("text", "fault", "hint"), RULES)
def test_sections_that_do_not_go_together_are_refused(
    faults: Faults, text: str, fault: str, hint: str
) -> None:
    [found] = faults(text)
    message, advice = found.split("\n    ")
    assert message.startswith(f"x.yaml:{fault}")
    assert hint in advice


SOUND = [
    M,
    f"data: {{name: moons, batch_size: 900}}\n{MLP}",
    f"data: {{name: moons, batch_size: all}}\n{MLP}",
    f"data: {{name: digits, augment: [mixup]}}\n{M}",
    f"{VALUES}\nregularization: {{early_stopping: 3}}",
    f"{TAGS.replace('true', 'true, augment: [mixup]')}\nloss: bce\n{MLP}",
    f"{M}\nscheduler: {{name: plateau, mode: max}}",
    f"{M}\nscheduler: {{name: plateau, monitor: kappa, mode: max}}",
    f"{M}\ndata: {{name: digits, validation: 0}}\nscheduler: {{name: plateau, mode: max}}",
    f"{M}\nscheduler: {{name: cyclic, base_lr: 0.0001, mode: triangular}}",
    f"{M}\noptimizer: {{name: adamw, weight_decay: 0}}\nregularization: {{weight_decay: 0.1}}",
    "data: {name: moons, samples: 101, validation: 0, batch_size: 20, drop_last: true}\n"
    "model: {layers: [linear: 8, batch_norm, linear: 2]}",
    "data: {name: moons, batch_size: 1}\nmodel: {layers: [linear: 8, layer_norm, linear: 2]}",
    "data: {name: digits, batch_size: 1}\n"
    "model: {layers: [conv: 4, batch_norm, flatten, linear: 10]}",
]


@pytest.mark.parametrize("text", SOUND)
def test_sections_that_go_together_are_taken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    load(path)


def test_all_faults_of_a_file_are_reported_at_once(faults: Faults) -> None:
    text = """\
data: {name: digits, augment: [cutout: 9], batch_size: 2000}
model: {layers: [flatten, linear: 9]}
scheduler: {name: cosine, warmup: 10, eta_min: 5}
regularization: {label_smoothing: 0.1, early_stopping: 3}
loss: mse
train: {monitor: accuracy}
"""
    places = [fault.split(" ")[0] for fault in faults(text)]
    places = [place.removeprefix("x.yaml:") for place in places]
    assert places == ["1:40:", "1:56:", "2:35:", "3:35:", "4:35:"]


def test_a_mistake_elsewhere_hides_no_layer_that_does_not_fit(faults: Faults) -> None:
    model = "model: {layers: [linear: classes]}"
    for broken in ("train: {epoch: 3}", "optimizer: sgdd", "seed: x", "lr: 3"):
        first, second = faults(f"{model}\n{broken}")
        assert second.startswith("x.yaml:2:")
        assert first.startswith("x.yaml:1:26: model.layers.0.linear: linear needs a vector")
    assert len(faults(f"{model}\ndata: {{name: digits, sise: 3}}")) == 1
    assert len(faults("model: {layers: [linear: classes, rleu]}\nseed: x")) == 2


def test_defaults_are_not_blamed_for_what_a_mistake_hides(faults: Faults) -> None:
    for broken in ("optimizer: {name: sgd, lr: big}", "train: {epochs: many}"):
        scheduler = "scheduler: {name: cosine, eta_min: 1, warmup: 20}"
        assert len(faults(f"{M}\n{scheduler}\n{broken}")) == 1


def test_the_fault_of_an_override_is_placed_at_the_override(faults: Faults) -> None:
    sgd = f"{M}\noptimizer: sgd"
    assert faults(sgd, "train.epochs=0", "optimizer.momentun=0.9") == [
        "optimizer.momentun=0.9: optimizer.momentun: no such option\n    did you mean momentum?",
        "train.epochs=0: train.epochs: 0 is too small\n    write a number greater than 0",
    ]
    [fault] = faults("model: {layers: [conv: 4, flatten, linear: 10]}\ndata: digits", "data.size=2")
    assert fault.startswith("x.yaml:1:24: model.layers.0.conv.kernel_size: 3 does not fit")


def test_a_fault_of_a_base_file_is_placed_there(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("optimizer: {name: sgd, lr: -1}\n" + M, encoding="utf-8")
    [fault] = faults("base: base.yaml\ntrain: {epochs: 3}\n")
    assert fault.startswith("base.yaml:1:28: optimizer.lr: -1 is too small")


def test_another_kind_drops_what_only_the_one_below_had(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        f"optimizer: {{name: sgd, lr: 0.05, momentum: 0.9}}\n{M}", encoding="utf-8"
    )
    path = tmp_path / "x.yaml"
    path.write_text("base: base.yaml\noptimizer: {name: adam}\n", encoding="utf-8")
    optimizer = load(path).experiment.optimizer
    assert (optimizer.kind, optimizer.lr) == ("adam", 0.05)
    assert load(path, ["optimizer.name=rmsprop"]).experiment.optimizer.kind == "rmsprop"


@pytest.mark.parametrize(
    ("stem", "text", "name"),
    [
        ("lenet", M, "lenet"),
        ("größe 2", M, "größe 2"),
        ("lenet", f"name: mine\n{M}", "mine"),
        (".hidden", M, "experiment"),
        ("x" * 220, M, "experiment"),
    ],
)
def test_an_experiment_is_named_after_its_file(
    tmp_path: Path, stem: str, text: str, name: str
) -> None:
    path = tmp_path / f"{stem}.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path).experiment.name == name


@pytest.mark.parametrize("name", ["a/b", "a\\b", ".a", "", "..", "a\nb", "ä" * 101])
def test_a_name_that_no_folder_can_have_is_refused(faults: Faults, name: str) -> None:
    [fault] = faults(f"name: {name!r}\n{M}".replace("'", '"'))
    assert "is not a valid run name\n    use at most 200 printable bytes" in fault


@pytest.mark.parametrize("name", ["lenet", "a b.c", "lr=0.1", "größe-2", "x" * 200])
def test_a_name_that_follows_the_rule_of_the_message_is_taken(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"name: {name}\n{M}", encoding="utf-8")
    assert load(path).experiment.name == name


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:100", "cpu:0", "CUDA", ""])
def test_a_device_that_is_none_is_refused(faults: Faults, device: str) -> None:
    [fault] = faults(f"{M}\ntrain: {{device: '{device}'}}")
    assert "is not a device\n    write auto, cpu, cuda or cuda:1" in fault


def test_a_later_fault_is_placed_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{M}\ntrain: {{device: cuda:9}}", encoding="utf-8")
    loaded = load(path)
    fault = config_fault("no GPU here", hint="use cpu", path=("train", "device"))
    with pytest.raises(FaultError, match=r"x\.yaml:2:17: train\.device: no GPU"), loaded.places():
        raise fault
    assert locate(loaded.source, fault.faults[0]) == Place(str(path), 2, 17)


def test_what_is_checked_is_what_is_planned() -> None:
    layers = ["flatten", {"linear": "classes"}]
    plan, description = check(Experiment.model_validate({"model": {"layers": layers}}))
    assert (plan.input, plan.output) == ((1, 8, 8), (10,))
    assert (description.outputs, description.train_samples) == (10, 1293)


def test_two_metrics_of_one_name_are_refused(faults: Faults) -> None:
    text = """\
data:
  name: inline
  inputs: [[0], [1], [2], [3]]
  targets: {balanced: [0, 1, 1, 0]}
  validation: 0.5
  batch_size: all
model: {heads: {balanced: {layers: [linear: classes]}}, layers: [linear: 2]}
train: {monitor: balanced_accuracy}
"""
    (fault,) = faults(text)
    assert "7:17: model.heads.balanced: two metrics would be named balanced_accuracy" in fault
