"""A run that is stopped or killed and resumed ends with the same bits as one left alone."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnctl.data.sources.digits import Digits
from tests import warm
from tests.conftest import Cli, environment, rows_of
from tests.shards import write_tar
from tests.training.conftest import EVERYTHING, assert_same_state, best, last
from tests.warm import Process


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of `everything` that nobody disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "everything.yaml").write_text(EVERYTHING, encoding="utf-8")
    done = warm.run(["train", "everything.yaml"], cwd=folder, env=environment())
    assert done.returncode == 0
    return folder / "runs" / "everything"


def start(config: Path, *more: str) -> Process:
    return Process(["train", config.name, *more], cwd=config.parent, env=environment())


def wait_until(happened: Callable[[], bool], process: Process) -> bool:
    """Wait for something, without a sleep that could miss it; false if the process ended first."""
    while not any(happened() for _ in range(1000)):  # a save takes less than a look at the process
        if process.poll() is not None:
            return False
    return True


def state_of(process: Process) -> str:
    """As the kernel has it: R while it runs, S while it sleeps, T while it is stopped."""
    status = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii", errors="replace")
    return status.rpartition(")")[2].split()[0]


def stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def is_newer(path: Path, before: int) -> bool:
    return stamp(path) != before


def assert_same_run(run: Path, alone: Path) -> None:
    assert_same_state(last(run), last(alone))
    assert_same_state(best(run), best(alone))
    assert rows_of(run) == rows_of(alone)


def is_saving(checkpoint: Path) -> bool:
    """Whether a temporary file stands beside the checkpoint."""
    return any(checkpoint.parent.glob(".*.writing"))


def kill_again_and_again(
    config: Path, kills: int, draw: random.Random, *, in_saves: bool = False
) -> tuple[int, int]:
    """Start or resume, kill at a random moment, and so on; how many kills, how many in a save."""
    run = config.parent / "runs" / config.stem
    checkpoint = run / "checkpoints" / "last.safetensors"
    killed = in_save = 0
    while killed < kills:
        before = stamp(checkpoint)
        process = start(config, *(["--resume"] if before else []))
        # once it has saved something new, the training is under way
        if not wait_until(partial(is_newer, checkpoint, before), process):
            break
        if in_saves and killed % 2:
            wait_until(partial(is_saving, checkpoint), process)
        else:
            time.sleep(draw.uniform(0, 0.1))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        in_save += is_saving(checkpoint)
    return killed, in_save


def finish(config: Path) -> None:
    process = start(config, "--resume")
    output = "".join(process.communicate())
    assert process.returncode == 0, output


def test_a_killed_run_resumes_to_the_same_bits(everything: Path, alone: Path) -> None:
    killed, _ = kill_again_and_again(everything, 2, random.Random(0))
    assert killed == 2
    finish(everything)
    assert_same_run(everything.parent / "runs" / "everything", alone)


def assert_kills_change_nothing(config: Path, text: str, *, kills: int) -> None:
    """A run of this experiment that is killed ends as one that is left alone."""
    config.write_text(f"name: everything\n{text}", encoding="utf-8")
    killed, _ = kill_again_and_again(config, kills, random.Random(2))
    assert killed == kills
    finish(config)
    process = start(config, "--runs", "others")
    output = "".join(process.communicate())
    assert process.returncode == 0, output
    runs = (config.parent / parent / "everything" for parent in ("runs", "others"))
    assert_same_run(*runs)


@pytest.mark.long
def test_a_killed_run_whose_images_grow_and_flip_in_turn_resumes_to_the_same_bits(
    everything: Path,
) -> None:
    text = EVERYTHING.replace("- flatten", "- global_avg_pool")
    text = text.replace("[{crop", "[{horizontal_flip: {alternating: true}}, {crop")
    text = text.replace("name: cosine", "name: triangular")
    text = text.replace("epochs: 6,", "epochs: 6, progressive_resizing: {delay_fraction: 0.2},")
    assert_kills_change_nothing(everything, text, kills=2)


@pytest.mark.long
def test_a_killed_run_of_lion_resumes_to_the_same_bits(everything: Path) -> None:
    sgd, lion = "{name: sgd, lr: 0.1, momentum: 0.9}", "{name: lion, lr: 0.001, weight_decay: 0.1}"
    assert sgd in EVERYTHING
    assert_kills_change_nothing(everything, EVERYTHING.replace(sgd, lion), kills=1)


@pytest.mark.long
def test_a_killed_run_that_is_watched_resumes_to_the_same_records(everything: Path) -> None:
    watched = EVERYTHING.replace("train: {", "train: {watch: 2, ")
    assert_kills_change_nothing(everything, watched, kills=2)
    records = (
        everything.parent / parent / "everything" / "watch.jsonl" for parent in ("runs", "others")
    )
    one, other = (path.read_bytes() for path in records)
    assert one.count(b"\n") > 10
    assert one == other


@pytest.mark.long
@pytest.mark.parametrize("is_augmented", [True, False])
def test_a_killed_run_with_a_teacher_resumes_to_the_same_bits(
    is_augmented: bool, everything: Path, alone: Path
) -> None:
    teacher = alone / "checkpoints" / "best.safetensors"
    layers = (
        "[{hint: {student: conv1, teacher: conv2}}, "
        "{attention: {student: conv1, teacher: batch_norm1}}]"
    )
    text = EVERYTHING.replace("out_channels: 8", "out_channels: 4")
    if not is_augmented:
        text = text.replace("augment: [", "augment: []  # [")
    distill = f"distill: {{teacher: {teacher}, layers: {layers}}}\n"
    assert_kills_change_nothing(everything, text + distill, kills=2)
    rows = rows_of(everything.parent / "runs" / "everything")
    assert all(0 < row["train_agreement"] < 1 for row in rows)


@pytest.mark.long
def test_a_killed_run_on_a_plateau_resumes_to_the_same_bits(everything: Path) -> None:
    cosine = "{name: cosine, warmup: 1}"
    plateau = (
        "{name: plateau, monitor: balanced_accuracy, patience: 0, threshold: 0.2, factor: 0.5}"
    )
    assert cosine in EVERYTHING
    assert_kills_change_nothing(everything, EVERYTHING.replace(cosine, plateau), kills=2)
    rows = rows_of(everything.parent / "runs" / "everything")
    assert len({row["lr"] for row in rows}) > 2


@pytest.mark.long
def test_a_killed_run_with_balanced_classes_resumes_to_the_same_bits(everything: Path) -> None:
    balanced = EVERYTHING.replace("name: digits", "name: digits\n  sampler: balanced")
    loss = "loss: {name: focal, weight: {effective_number: 0.99}}\n"
    assert_kills_change_nothing(everything, balanced + loss, kills=2)


@pytest.mark.long
@pytest.mark.parametrize("rows", ["memory", "mapped", "stream"])
def test_a_killed_run_on_a_folder_of_pictures_resumes_to_the_same_bits(
    rows: str, everything: Path
) -> None:
    samples = Digits().load("train", root=Path())
    pictures = samples.rows.take(torch.arange(len(samples)))
    for number, (pixels, label) in enumerate(zip(pictures, samples.targets.tolist(), strict=True)):
        if label < 5 or number % 10 == 0:  # classes of which some are rare
            folder = everything.parent / "digits" / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[0].numpy()).save(folder / f"{number:04}.png")
    data = f"name: image_folder\n  path: digits\n  sampler: balanced\n  rows: {rows}"
    longer = EVERYTHING.replace("epochs: 6", "epochs: 20").replace("stopping: 3", "stopping: 20")
    assert_kills_change_nothing(everything, longer.replace("name: digits", data), kills=2)


@pytest.mark.long
def test_a_killed_run_on_shards_resumes_to_the_same_bits(everything: Path) -> None:
    samples = Digits().load("train", root=Path())
    pictures = samples.rows.take(torch.arange(len(samples)))
    for shard in range(10):
        members: list[tuple[str, bytes]] = []
        for at in range(shard, len(samples), 10):
            content = BytesIO()
            Image.fromarray(pictures[at, 0].numpy()).save(content, format="png")
            label = str(samples.targets[at].item()).encode()
            members += [(f"{at:04}.png", content.getvalue()), (f"{at:04}.cls", label)]
        write_tar(everything.parent / "shards" / f"train-{shard}.tar", members)
    data = "name: webdataset\n  path: shards\n  rows: stream\n  shuffle_buffer: 300\n  workers: 2"
    assert_kills_change_nothing(everything, EVERYTHING.replace("name: digits", data), kills=1)


@pytest.mark.long
@pytest.mark.parametrize("rows", ["memory", "mapped"])
def test_a_killed_run_on_pictures_of_a_table_resumes_to_the_same_bits(
    rows: str, everything: Path
) -> None:
    samples = Digits().load("train", root=Path())
    pictures = samples.rows.take(torch.arange(len(samples)))
    lines = ["file,digit,writer"]
    for number, (pixels, label) in enumerate(zip(pictures, samples.targets.tolist(), strict=True)):
        Image.fromarray(pixels[0].numpy()).save(everything.parent / f"{number:04}.png")
        lines.append(f"{number:04}.png,{label},{number // 7}")
    (everything.parent / "digits.csv").write_text("\n".join(lines), encoding="utf-8")
    data = "name: image_table\n  path: digits.csv\n  target: digit\n  group: writer\n"
    data += f"  sampler: balanced\n  rows: {rows}"
    longer = EVERYTHING.replace("epochs: 6", "epochs: 20").replace("stopping: 3", "stopping: 20")
    assert_kills_change_nothing(everything, longer.replace("name: digits", data), kills=2)


@pytest.mark.long
@pytest.mark.parametrize("rows", ["memory", "mapped"])
def test_a_killed_run_on_arrays_resumes_to_the_same_bits(rows: str, everything: Path) -> None:
    samples = Digits().load("train", root=Path())
    folder = everything.parent / "digits"
    folder.mkdir()
    images = samples.rows.take(torch.arange(len(samples))).numpy()
    np.save(folder / "x.npy", images.repeat(2, 2).repeat(2, 3) / 16.0)
    np.save(folder / "y.npy", samples.targets)
    data = f"name: arrays\n  path: digits\n  sampler: balanced\n  rows: {rows}"
    longer = EVERYTHING.replace("epochs: 6", "epochs: 20").replace("stopping: 3", "stopping: 20")
    longer = longer.replace("name: digits", data).replace("  size: 16\n", "")
    assert_kills_change_nothing(everything, longer, kills=2)


SIGNALS = """\
seed: 3
data:
  name: signals
  {source}
  targets: {{kind: class, size: values}}
  batch_size: 16
model:
  layers: [conv: {{out_channels: 8, kernel_size: 5}}, batch_norm, relu, global_avg_pool, flatten]
  heads:
    kind: {{layers: [dropout: 0.2, linear: classes]}}
    size: {{layers: [linear: classes], loss: mse}}
optimizer: {{name: adam, lr: 0.01}}
scheduler: {{name: cosine, warmup: 1}}
regularization: {{ema: 0.95, clip_norm: 1.0}}
train: {{epochs: 60, checkpoint_every: 2}}
"""


def save_signals(folder: Path) -> None:
    """The columns of digits, one after another, as a long table and as arrays; two of a writer."""
    samples = Digits().load("train", root=Path())
    signals = samples.rows.take(torch.arange(400)).numpy().reshape(400, 64)
    kind = samples.targets[:400].numpy()
    (folder / "signals").mkdir()
    for name, array in {"x": signals, "kind": kind, "size": signals.mean(axis=1)}.items():
        np.save(folder / "signals" / f"{name}.npy", array)
    lines = ["id,writer,x,kind,size"]
    for at, (values, own) in enumerate(zip(signals, kind, strict=True)):
        end = f"{own},{values.mean()}"
        lines += [f"{at},w{at // 2},{value},{end}" for value in values[: 40 + at % 24]]
    (folder / "long.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize(
    "source",
    [
        "path: long.csv\n  series: id\n  channels: [x]\n  group: writer",
        "path: signals\n  rows: memory",
        "path: signals\n  rows: mapped",
    ],
)
def test_a_killed_run_on_signals_resumes_to_the_same_bits(source: str, everything: Path) -> None:
    save_signals(everything.parent)
    assert_kills_change_nothing(everything, SIGNALS.format(source=source), kills=2)


@pytest.mark.long
def test_twenty_kills_some_within_a_save_change_nothing(everything: Path) -> None:
    longer = EVERYTHING.replace("epochs: 6", "epochs: 30").replace("stopping: 3", "stopping: 30")
    everything.write_text(longer, encoding="utf-8")
    killed, in_save = kill_again_and_again(everything, 20, random.Random(1), in_saves=True)
    assert killed == 20
    assert in_save >= 3
    finish(everything)
    undisturbed = everything.with_name("undisturbed.yaml")
    undisturbed.write_text("name: everything\n" + longer, encoding="utf-8")
    process = start(undisturbed, "--runs", "others")
    output = "".join(process.communicate())
    assert process.returncode == 0, output
    assert_same_run(
        everything.parent / "runs" / "everything", everything.parent / "others" / "everything"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_saves_says_how_to_go_on_and_does(
    everything: Path, alone: Path, number: signal.Signals, code: int
) -> None:
    run = everything.parent / "runs" / "everything"
    process = start(everything)
    assert wait_until((run / "metrics.jsonl").exists, process)
    process.send_signal(number)
    output = "".join(process.communicate())
    assert process.returncode == code, output
    assert "resume with: cnnctl train --resume runs/everything" in output
    assert "Traceback" not in output
    process = start(everything, "--resume", "runs/everything")
    output = "".join(process.communicate())
    assert process.returncode == 0, output
    assert "resuming after" in output
    assert_same_run(run, alone)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_second_signal_stops_at_once(everything: Path) -> None:
    slow = EVERYTHING.replace("batch_size: 32", "batch_size: all").replace("size: 16", "size: 128")
    everything.write_text(slow.replace("accumulate: 2", "accumulate: 1"), encoding="utf-8")
    process = start(everything)
    last_file = everything.parent / "runs" / "everything" / "checkpoints" / "last.safetensors"
    assert wait_until(last_file.exists, process)
    # both arrive within one step, however busy the machine is
    process.send_signal(signal.SIGSTOP)
    assert wait_until(lambda: state_of(process) == "T", process)
    saved = stamp(last_file)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        process.send_signal(number)
    output = "".join(process.communicate())
    assert process.returncode == 143, output
    assert stamp(last_file) == saved
    assert last(last_file.parents[1])


def test_a_finished_run_is_not_trained_again(cli: Cli, tiny: Path) -> None:
    assert cli("train", tiny).returncode == 0
    before = last(tiny.parent / "runs" / "tiny")
    again = cli("train", tiny, "--resume")
    assert again.returncode == 0, again.stderr
    assert "already finished" in again.stdout
    assert_same_state(last(tiny.parent / "runs" / "tiny"), before)


def test_more_epochs_may_be_asked_for(cli: Cli, tiny: Path) -> None:
    cli("train", tiny)
    longer = cli("train", tiny, "train.epochs=4", "--resume")
    assert longer.returncode == 0, longer.stderr
    unbroken = cli("train", tiny, "train.epochs=4", "--runs", "others")
    assert unbroken.returncode == 0
    # a constant learning rate does not ask how long the run is
    one, other = last(tiny.parent / "runs" / "tiny"), last(tiny.parent / "others" / "tiny")
    assert_same_state(one, other)
    assert [row["epoch"] for row in rows_of(tiny.parent / "runs" / "tiny")] == [1, 2, 3, 4]


def test_what_may_not_change_is_refused_with_the_difference(quick_cli: Cli, tiny: Path) -> None:
    quick_cli("train", tiny)
    refused = quick_cli("train", tiny, "optimizer.lr=0.2", "data.batch_size=64", "--resume")
    assert refused.returncode == 4
    assert "optimizer.lr: is 0.2 now, but the run has 0.1" in refused.stderr
    assert "data.batch_size: is 64 now, but the run has 128" in refused.stderr


RARE = """\
data:
  name: inline
  inputs: [[0], [1], [2], [3], [4], [5], [6], [7], [8], [9]]
  targets: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
  batch_size: 4
  sampler: balanced
model: {layers: [linear: classes]}
loss: {name: cross_entropy, weight: balanced}
train: {epochs: 2}
"""


def test_measured_class_weights_are_resumed_and_evaluated(quick_cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "rare.yaml"
    config.write_text(RARE, encoding="utf-8")
    assert quick_cli("train", config).returncode == 0
    written = (tmp_path / "runs" / "rare" / "config.yaml").read_text(encoding="utf-8")
    assert "weight: [0.625, 2.5]" in written
    assert quick_cli("eval", "runs/rare").returncode == 0
    resumed = quick_cli("train", config, "--resume", "train.epochs=3")
    assert resumed.returncode == 0, resumed.stderr
    unbroken = quick_cli("train", config, "--runs", "others", "train.epochs=3")
    assert unbroken.returncode == 0, unbroken.stderr
    assert_same_state(last(tmp_path / "runs" / "rare"), last(tmp_path / "others" / "rare"))
    other = ["loss.weight={effective_number: 0.9}", "data.sampler=shuffle"]
    refused = quick_cli("train", config, "--resume", *other)
    assert refused.returncode == 4
    assert "loss.weight: is " in refused.stderr
    assert "data.sampler: is shuffle now, but the run has balanced" in refused.stderr


def test_overrides_go_with_a_run_folder_alone(quick_cli: Cli, tiny: Path) -> None:
    quick_cli("train", tiny)
    longer = quick_cli("train", "--resume", "runs/tiny", "train.epochs=3")
    assert longer.returncode == 0, longer.stderr
    assert len(rows_of(tiny.parent / "runs" / "tiny")) == 3


def test_the_newest_run_of_the_name_is_resumed(quick_cli: Cli, tiny: Path) -> None:
    for _ in range(2):
        quick_cli("train", tiny)
    resumed = quick_cli("train", tiny, "--resume", "train.epochs=3")
    assert "runs/tiny-2" in resumed.stdout
    assert len(rows_of(tiny.parent / "runs" / "tiny-2")) == 3
    assert len(rows_of(tiny.parent / "runs" / "tiny")) == 2


def test_nothing_to_resume_is_reported(quick_cli: Cli, tiny: Path) -> None:
    refused = quick_cli("train", tiny, "--resume")
    assert refused.returncode == 4
    assert "no run to resume" in refused.stderr
    refused = quick_cli("train", "--resume")
    assert refused.returncode == 4
    assert "no run given to resume" in refused.stderr


def test_a_checkpoint_of_weights_alone_is_not_resumed(quick_cli: Cli, tiny: Path) -> None:
    quick_cli("train", tiny)
    refused = quick_cli("train", "--resume", "runs/tiny/checkpoints/best.safetensors")
    assert refused.returncode == 4
    assert "last.safetensors" in refused.stderr


def test_another_thread_count_is_accepted_and_reported(quick_cli: Cli, tiny: Path) -> None:
    quick_cli("train", tiny, "train.threads=1")
    resumed = quick_cli("train", "--resume", "runs/tiny", "train.threads=2", "train.epochs=3")
    assert resumed.returncode == 0, resumed.stderr
    assert "not bit-identical to an uninterrupted run; changed: train.threads" in resumed.stdout


def test_a_bad_line_of_metrics_does_not_keep_a_sound_checkpoint_from_going_on(
    tiny: Path, quick_cli: Cli
) -> None:
    assert quick_cli("train", tiny).returncode == 0
    run = tiny.parent / "runs" / "tiny"
    rows = rows_of(run)
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b"\xff\0\n{\n")
    done = quick_cli("train", "--resume", run, "train.epochs=3")
    assert done.returncode == 0, done.stderr
    assert "metrics.jsonl: dropped 2 invalid lines" in done.stdout
    assert rows_of(run)[:2] == rows
    assert len(rows_of(run)) == 3
