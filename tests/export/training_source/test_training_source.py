"""Training scripts: what they read as, and that they train as the experiment does."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from cnnctl.config.choice import Spec
from cnnctl.data.augmentations import Augmentation
from cnnctl.data.dataset import DataSet
from cnnctl.data.samples import Samples
from cnnctl.data.sources.cifar import Cifar10
from cnnctl.data.sources.mnist import Emnist, Mnist
from cnnctl.data.sources.svhn import Svhn
from cnnctl.errors import FaultError
from cnnctl.experiment.spec import Architecture, Experiment, Train
from cnnctl.export import fresh
from cnnctl.export.format import Wishes
from cnnctl.export.original import open_original
from cnnctl.export.training_source.reading import Needs, reading_source
from cnnctl.export.training_source.whole import TrainingScript, training_script
from cnnctl.optim.losses import Loss
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.regularizers import Regularization
from cnnctl.optim.schedulers import Scheduler
from cnnctl.shipped import experiments, text_of
from tests.export.running import here, opened
from tests.export.training_source.scripts import (
    Namespace,
    executed,
    largest_difference,
    setup_of,
    source_of,
    trained_by_script,
    trained_by_us,
)

MOONS = """\
data: {name: moons, samples: 60, test_samples: 20, batch_size: 16, validation: 0.2}
model: {layers: [{linear: 6}, tanh, {linear: 4}, relu, {linear: classes}]}
train: {epochs: 4}
"""


def is_same(folder: Path, text: str, patch: pytest.MonkeyPatch, *overrides: str) -> None:
    setup = setup_of(folder, text, *overrides)
    ours = trained_by_us(setup, patch)
    theirs = trained_by_script(setup, folder / "script.py", patch)
    assert largest_difference(ours, theirs) < 1e-5
    start = setup.assemble().network.state_dict()
    assert largest_difference(start, ours) > 1e-4  # something was learned


def test_lenet_as_a_script_is_short_and_needs_no_cnnctl(tmp_path: Path) -> None:
    source = source_of(setup_of(tmp_path, text_of("lenet")))
    assert "import cnnctl" not in source
    assert sum(map(bool, source.split("\n"))) <= 130


DEFAULT = [
    "regularization={weight_decay: 0.1}",
    "regularization={l1: 0.01, l2: 0.02, clip_norm: 0.1, clip_value: 0.05, ema: 0.9}",
    "scheduler={name: one_cycle, warmup: 1}",
    "train.accumulate=2",
]


@pytest.mark.parametrize("override", DEFAULT)
def test_a_script_trains_to_the_same_weights(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_same(tmp_path, MOONS, monkeypatch, override)


SCHEDULERS = {
    "step": "{name: step, step_size: 2}",
    "multi_step": "{name: multi_step, milestones: [1, 3]}",
    "exponential": "{name: exponential, gamma: 0.5, interval: step}",
    "cosine": "{name: cosine, T_max: 3, eta_min: 0.01, interval: epoch}",
    "cosine_restarts": "{name: cosine_restarts, T_0: 1, T_mult: 2}",
    "linear": "{name: linear, end_factor: 0.5}",
    "polynomial": "{name: polynomial, power: 2}",
    "inverse_sqrt": "{name: inverse_sqrt, warmup: 1}",
    "one_cycle": "{name: one_cycle, three_phase: true}",
    "cyclic": "{name: cyclic, base_lr: 0.01, step_size_up: 0.5, mode: exp_range, gamma: 0.5}",
    "plateau": "{name: plateau, patience: 0, factor: 0.5, threshold: 0.5}",
}


@pytest.mark.long
@pytest.mark.parametrize("kind", Scheduler.kinds)
@pytest.mark.parametrize("warmup", [False, True])
def test_every_scheduler_is_that_of_torch(
    kind: str, warmup: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [f"scheduler={SCHEDULERS.get(kind, kind)}"]
    given += ["scheduler.warmup=1"] if warmup else []
    is_same(tmp_path, MOONS, monkeypatch, *given, "optimizer={name: sgd, lr: 0.2, momentum: 0.5}")


@pytest.mark.long
@pytest.mark.parametrize("kind", Optimizer.kinds)
def test_every_optimizer_is_that_of_torch(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [f"optimizer={kind}"]
    if kind == "lbfgs":  # whose many evaluations soon differ more
        given = ["optimizer={name: lbfgs, max_iter: 3}", "data.batch_size=all"]
    is_same(tmp_path, MOONS, monkeypatch, *given)


SEVERAL = [
    "optimizer={name: muon, others: {name: sgd, lr: 0.2, momentum: 0.5}}",
    "optimizer={name: muon, nesterov: false, normalize: true, adjust_lr_fn: none, ns_steps: 3}",
    "optimizer={name: muon, adjust_lr_fn: match_rms_adamw, groups: [{match: linear2*, lr: 0.01}]}",
    "optimizer={name: sgd, lr: 0.1, groups: [{match: linear3.*, optimizer: adam},"
    " {match: linear1.bias, optimizer: {name: lion, lr: 0.001}}]}",
]


@pytest.mark.long
@pytest.mark.parametrize("optimizer", SEVERAL)
@pytest.mark.parametrize("more", ["regularization.weight_decay=0.01", "scheduler=cosine"])
def test_several_optimizers_take_a_step_together(
    optimizer: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_same(tmp_path, MOONS, monkeypatch, optimizer, more)


def test_muon_and_others_train_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle = "scheduler={name: one_cycle, cycle_momentum: false}"
    is_same(tmp_path, MOONS, monkeypatch, "optimizer={name: muon, lr: 0.1}", cycle)


@pytest.mark.parametrize("lookahead", ["3", "{every: 2, alpha: 0.8}"])
def test_lookahead_trains_to_the_same_weights(
    lookahead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MOONS.replace("tanh,", "batch_norm, tanh,")
    is_same(tmp_path, text, monkeypatch, f"regularization.lookahead={lookahead}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("regularization.lookahead={ramp: 3}", "a constant alpha"),
        ("optimizer={name: muon, groups: [{match: linear1*, scheduler: cosine}]}", "one scheduler"),
        ("optimizer=muon", "cannot cycle the momentum of several optimizers"),
    ],
)
def test_what_a_script_lacks_is_refused(override: str, message: str, tmp_path: Path) -> None:
    setup = setup_of(tmp_path, MOONS, override, "scheduler=one_cycle")
    with pytest.raises(FaultError, match=message):
        source_of(setup)


LOSSES = {
    "cross_entropy": ("spirals", "classes", "{name: cross_entropy, weight: [1, 3]}"),
    "focal": ("moons", "classes", "{name: focal, weight: balanced}"),
    "nll": ("moons", "classes", "nll"),
    "bce": ("moons", "1", "bce"),
    "bce_with_logits": ("moons", "1", "{name: bce_with_logits, pos_weight: [2]}"),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", Loss.kinds)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_loss_is_that_of_torch(
    kind: str, reduction: str, accumulate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, width, loss = LOSSES.get(kind, ("moons", "classes", kind))
    last = {"bce": "sigmoid", "nll": "log_softmax"}.get(kind, "identity")
    given = [
        f"data.name={data}",
        f"model.layers=[{{linear: 6}}, tanh, {{linear: {width}}}, {last}]",
        f"loss={loss}",
        f"loss.reduction={reduction}",
        f"train.accumulate={accumulate}",
        "optimizer={name: sgd, lr: 0.01}",
    ]
    is_same(tmp_path, MOONS, monkeypatch, *given)


GROUPS = "[{match: linear1, lr: 0.1}, {match: '*.bias', weight_decay: 0.5}]"


@pytest.mark.long
@pytest.mark.parametrize(
    "override",
    [
        f"optimizer={{name: sgd, lr: 0.01, groups: {GROUPS}}}",
        "optimizer={name: sgd, lr: 0.1, momentum: 0.9, nesterov: true}",
        "scheduler={name: step, step_size: 1, warmup: 2}",
        "regularization={early_stopping: 1}",
        "data.batch_size=all",
        "regularization={weight_decay: 0.1, penalize: all}",
        "regularization={ema: {decay: 0.9, warmup: false}}",
        "regularization={early_stopping: {patience: 1, monitor: loss, min_delta: 0.1}}",
        "data.drop_last=true",
        "data.validation=0",
        "model.freeze=[linear1]",
        "train.monitor=macro_f1",
        "data.normalize=null",
    ],
)
def test_every_option_is_in_the_script(
    override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_same(tmp_path, MOONS, monkeypatch, override)


def test_heads_train_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of("digit-and-parity")
    given = ["data.batch_size=256", "train.epochs=1", "model.layers.0.conv.out_channels=2"]
    is_same(tmp_path, text, monkeypatch, *given, "model.layers.2.conv.out_channels=2")


EMBEDDED = {
    "digits": "{name: digits, size: [12, 10]}",
    "moons": "moons",
    "circles": "{name: circles, factor: 0.3}",
    "spirals": "{name: spirals, arms: 3}",
    "xor": "xor",
    "blobs": "blobs",
    "diabetes": "diabetes",
    "waveform": "waveform",
    "fake": "{name: fake, shape: [3, 4, 4], samples: 100}",
}


OFTEN = ("digits", "spirals", "diabetes", "waveform")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[] if kind in OFTEN else pytest.mark.long) for kind in EMBEDDED],
)
def test_a_script_builds_the_same_splits(kind: str, tmp_path: Path) -> None:
    loss = "mse" if kind == "diabetes" else "cross_entropy"
    text = (
        f"{{data: {EMBEDDED[kind]}, loss: {loss}, model: {{layers: [flatten, linear: classes]}}}}"
    )
    setup = setup_of(tmp_path, text)
    names = executed(source_of(setup), tmp_path / "script.py")
    for split, (inputs, targets) in names["build_data"]().items():
        batches = getattr(setup.batches, split)
        ours = next(batches.in_order(batch_size=len(batches.positions)))
        has_bytes = inputs.dtype == torch.uint8
        given = names["normalize"](inputs / 255) if has_bytes else inputs
        assert torch.allclose(ours[0], given, atol=1e-6)
        assert torch.allclose(ours[1], targets, atol=1e-6)


AUGMENTATIONS = {
    "affine": "{affine: {degrees: 10, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 5}}",
    "brightness": "{brightness: 0.3}",
    "contrast": "{contrast: 0.3}",
    "saturation": "{saturation: 0.3}",
    "hue": "{hue: 0.1}",
    "color_jitter": "{color_jitter: {brightness: 0.2, hue: 0.1}}",
    "rotation": "{rotation: 10}",
    "cutout": "{cutout: 4}",
    "noise": "{noise: 0.1}",
    "gaussian_blur": "{gaussian_blur: {kernel_size: 3, p: 0.5}}",
}


@pytest.mark.long
@pytest.mark.parametrize("kind", Augmentation.kinds)
def test_every_augmentation_changes_images_but_not_their_form(kind: str, tmp_path: Path) -> None:
    data = f"{{name: fake, shape: [3, 16, 16], augment: [{AUGMENTATIONS.get(kind, kind)}]}}"
    layers = "[global_avg_pool, {linear: classes}]"
    setup = setup_of(
        tmp_path, f"{{data: {data}, model: {{layers: {layers}}}, train: {{epochs: 1}}}}"
    )
    names = executed(source_of(setup), tmp_path / "script.py")
    names["main"]()
    images = names["build_data"]()["train"][0][:64] / 255
    if "augment" in names:
        changed = names["augment"](images)
    else:
        targets = torch.nn.functional.one_hot(torch.arange(64) % 10).float()
        changed, mixed = names[kind](images, targets, **{"alpha": 1.0, "p": 1.0})
        assert torch.allclose(mixed.sum(dim=1), torch.ones(64))
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)


def test_a_table_is_encoded_and_cut_alike(tmp_path: Path) -> None:
    rows = [
        f"{'' if n % 7 == 0 else n * 1.5};{'abc'[n % 3]};2020-0{n % 9 + 1}-1{n % 9};{n % 2}"
        for n in range(60)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["n;letter;when;kind", *rows]), encoding="utf-8")
    data = "{name: table, path: t.csv, target: kind, batch_size: 8}"
    text = f"{{data: {data}, model: {{layers: [linear: classes]}}}}"
    is_checked(tmp_path, text)
    is_checked(tmp_path, text.replace("target: kind", "target: kind, group: letter"))
    is_checked(tmp_path, text.replace("target: kind", "target: kind, time: when"))


def test_pictures_are_read_and_cut_alike(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "pictures" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(256, size=(9 + number % 3, 11, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    rows = [f"{'ab'[number % 2]}/{number}.png,{number}" for number in range(40)]
    (tmp_path / "pictures" / "t.csv").write_text("\n".join(["file,size", *rows]), encoding="utf-8")
    model = "model: {layers: [{conv: 2}, global_avg_pool, {linear: classes}]}"
    form = "size: [8, 10], batch_size: 8"
    is_checked(tmp_path, f"{{data: {{name: image_folder, path: pictures, {form}}}, {model}}}")
    table = f"{{name: image_table, path: pictures/t.csv, target: size, task: regression, {form}}}"
    is_checked(tmp_path, f"{{data: {table}, loss: mse, {model.replace('classes', '1')}}}")


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((3, 6, 5), "uint8"),
        pytest.param((6, 5, 3), "float32", marks=pytest.mark.long),
        pytest.param((6, 5), "uint16", marks=pytest.mark.long),
        pytest.param((4,), "float32", marks=pytest.mark.long),
        ((2, 9), "int16"),
    ],
)
def test_arrays_are_read_and_cut_alike(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    numbers = random.integers(256, size=(40, *shape)).astype(dtype)
    inputs = numbers / np.float32(255) if dtype == "float32" else numbers
    np.savez(tmp_path / "a.npz", x=inputs, y=np.arange(40) % 3)
    data = "{name: arrays, path: a.npz, batch_size: 8}"
    text = f"{{data: {data}, model: {{layers: [flatten, linear: classes]}}}}"
    is_checked(tmp_path, text)
    if len(shape) == 2 and dtype == "int16":
        is_checked(tmp_path, text.replace("arrays", "signals, length: 12"))


def test_series_of_a_long_table_are_read_and_cut_alike(tmp_path: Path) -> None:
    rows = [
        f"s{n},{step},{n * 0.1 + step},{n % 5 - step},{'ab'[n % 2]}"
        for n in range(30)
        for step in range(4 + n % 3)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["id,t,u,v,label", *rows]), encoding="utf-8")
    data = "{name: signals, path: t.csv, series: id, time: t, batch_size: 8}"
    is_checked(tmp_path, f"{{data: {data}, model: {{layers: [flatten, linear: classes]}}}}")


def is_checked(folder: Path, text: str) -> None:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    original, file = open_original(folder / "x.yaml"), folder / "script.py"
    file.write_text(training_script(original), encoding="utf-8")
    assert TrainingScript().check(original, Wishes(), file, here).is_within


PIXELS = torch.arange(6 * 32 * 32).remainder(251).to(torch.uint8).view(2, 3, 32, 32)
LETTERS = PIXELS[:, 0].transpose(1, 2), torch.tensor([1, 2])
STORED = [
    (Cifar10(), "CIFAR10", PIXELS.permute(0, 2, 3, 1).numpy(), [0, 1]),
    (Svhn(), "SVHN", PIXELS.numpy(), np.array([0, 1])),
    (Mnist(size=32), "MNIST", PIXELS[:, 0], torch.tensor([0, 1])),
    (
        Emnist(split="letters", size=32),
        "EMNIST",
        PIXELS[:, 0].transpose(1, 2),
        torch.tensor([1, 2]),
    ),
]
"""What torchvision's datasets hold of these pixels, of classes 0 and 1."""


@pytest.mark.parametrize(("data", "name", "pixels", "classes"), STORED)
def test_published_data_is_read_as_torchvision_stores_it(
    data: DataSet, name: str, pixels: object, classes: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = SimpleNamespace(data=pixels, targets=classes, labels=classes)
    kind = type(name, (), {"__new__": lambda cls, root, **options: stored})
    monkeypatch.setattr(torchvision.datasets, name, kind)
    needs = Needs(("target",), (1, 1), Samples(torch.zeros(0), torch.zeros(0)))
    names: Namespace = {"DATA": Path("data")}
    exec(reading_source(data, needs), names)
    images, targets = names["read_split"](train=True)
    assert torch.equal(images, PIXELS[:, : images.shape[1]])
    assert targets.tolist() == [0, 1]


def test_a_step_in_a_fresh_process_is_compared(tmp_path: Path) -> None:
    original = opened(tmp_path, MOONS)
    file = tmp_path / "script.py"
    source = training_script(original)
    file.write_text(source, encoding="utf-8")
    assert TrainingScript().check(original, Wishes(), file, here).is_within
    changed = source.replace("lr=0.001", "lr=0.0025")  # of another length, or bytecode is reused
    file.write_text(changed, encoding="utf-8")
    assert not TrainingScript().check(original, Wishes(), file, here).is_within


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("model.unfreeze_at=2", "model.unfreeze_at"),
        ("train.progressive_resizing={initial_scale: 1.0}", "train.progressive_resizing"),
        ("data.augment=[{horizontal_flip: {alternating: true}}]", "data.augment.0.alternating"),
        ("data.augment=[{random_erasing: {value: random}}]", "data.augment.0"),
        ("train.micro_batch_size=4", "train.micro_batch_size"),
    ],
)
def test_what_cannot_be_written_is_refused(override: str, path: str, tmp_path: Path) -> None:
    layers = "[{conv: 2}, batch_norm, flatten, linear: classes]"
    text = f"{{data: digits, model: {{layers: {layers}, freeze: [conv1]}}}}"
    original = opened(tmp_path, text, override)
    with pytest.raises(FaultError) as raised:
        training_script(original)
    [fault] = raised.value.faults
    assert ".".join(map(str, fault.path)).startswith(path)
    assert override in fault.place


@pytest.mark.long
def test_a_frozen_batch_norm_keeps_its_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = "[{linear: 6}, batch_norm, relu, {linear: classes}]"
    given = [f"model.layers={layers}", "model.freeze=[linear1, batch_norm1]"]
    is_same(tmp_path, MOONS, monkeypatch, *given, "optimizer={name: sgd, lr: 0.1}")


@pytest.mark.long
def test_classes_of_a_balanced_epoch_come_equally_often(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, MOONS, "data.sampler=balanced", "train.epochs=1")
    names = executed(source_of(setup), tmp_path / "script.py")
    names["main"]()
    classes = torch.tensor([0] * 50 + [1] * 8 + [2] * 2)
    drawn = torch.bincount(classes[names["balanced_order"](classes)])
    assert drawn.tolist() == [20, 20, 20]


AUXILIARY = """\
data: {name: moons, samples: 60, test_samples: 20, batch_size: 16, validation: 0.2}
model:
  layers: [{linear: 6}, tanh, {auxiliary: [linear: classes]}, {linear: 4}, relu, {linear: classes}]
train: {epochs: 2}
"""


@pytest.mark.long
def test_auxiliary_classifiers_train_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_same(tmp_path, AUXILIARY, monkeypatch, "optimizer={name: sgd, lr: 0.1}")


@pytest.mark.long
@pytest.mark.parametrize("text", [MOONS, AUXILIARY, text_of("digit-and-parity")])
def test_a_script_computes_in_bf16(text: str, tmp_path: Path) -> None:
    setup = setup_of(tmp_path, text, "train.precision=bf16", "train.epochs=1")
    source = source_of(setup)
    assert "autocast" in source
    executed(source, tmp_path / "script.py")["main"]()


WRITTEN = {
    Experiment: {"name", "seed", "data", "model", "loss", "optimizer", "scheduler"}
    | {"regularization", "train", "distill"},
    Architecture: {"layers", "heads", "init", "weights", "freeze", "unfreeze_at"},
    Regularization: {"l1", "l2", "weight_decay", "penalize", "label_smoothing", "clip_norm"}
    | {"clip_value", "early_stopping", "ema", "lookahead"},
    Train: {"epochs", "accumulate", "precision", "monitor", "max_minutes", "planned_steps"}
    | {"progressive_resizing"},
}
"""What a script has, or is refused for."""
LEFT_OUT = {
    Experiment: {"plugins"},  # whose kinds are refused
    Train: {"device", "memory_format", "micro_batch_size", "compile", "deterministic", "threads"}
    | {"checkpoint_every", "snapshots", "watch", "activation_checkpointing", "sync_batch_norm"},
}
"""What changes neither the steps nor what is kept."""


@pytest.mark.parametrize("section", WRITTEN)
def test_no_option_is_left_out_unnoticed(section: type[Spec]) -> None:
    assert set(section.model_fields) == WRITTEN[section] | LEFT_OUT.get(section, set())


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [n for n in experiments() if "mnist" not in n and "cifar" not in n]
)
def test_every_shipped_experiment_trains_without_cnnctl(name: str, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    original = open_original(Path(name), ("train.epochs=2",))
    file.write_text(training_script(original), encoding="utf-8")
    assert TrainingScript().check(original, Wishes(), file, fresh.run).is_within
    command = [sys.executable, "-I", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch 2: " in done.stdout
    assert file.with_suffix(".pth").exists()


@pytest.mark.long
def test_lenet_as_a_script_reaches_the_accuracy_of_cnnctl(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(training_script(open_original(Path("lenet"))), encoding="utf-8")
    command = [sys.executable, "-I", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    accuracy = float(done.stdout.split("accuracy ")[-1])
    assert accuracy > 0.975  # 98.8 % of 360 samples, less three standard errors
