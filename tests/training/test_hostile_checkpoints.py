"""A checkpoint whose hash is right and whose content is not is refused, whatever part is wrong."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnnctl.checkpoint import Checkpoint, load, save
from cnnctl.errors import ExitCode, FaultError
from cnnctl.training.run import Run
from cnnctl.training.state import capture_last, restore, restore_random
from tests.conftest import Cli, invoke
from tests.training.conftest import EVERYTHING
from tests.training.test_state import OPTIMIZERS, finish_epoch, named, new_run, take_steps

Steps = tuple[str | int, ...]


def tensor_variants(tensor: Tensor) -> Iterator[Tensor | None]:
    """Other shapes, types and numbers; nothing stands for a tensor that is missing."""
    yield None
    yield torch.zeros(0, dtype=tensor.dtype)
    yield torch.zeros((0, 2**40), dtype=tensor.dtype)
    yield torch.zeros((), dtype=tensor.dtype) if tensor.dim() else tensor.expand(2, 2)
    yield tensor[None]
    yield torch.cat([tensor.reshape(-1), tensor.reshape(-1)])
    if tensor.numel() > 1:
        yield tensor.reshape(-1)[:-1]
        yield tensor.reshape(-1)
        yield tensor.T if tensor.dim() == 2 else tensor.flatten()[None]
    for dtype in (torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool):
        if dtype != tensor.dtype:
            yield tensor.to(dtype)
    yield torch.complex(tensor.float(), tensor.float())
    numbers = [-1, 0, 255] if tensor.dtype == torch.uint8 else [-1, 0, 2**62]
    if tensor.is_floating_point():
        yield from (filled(tensor, x) for x in (float("nan"), float("inf"), 0.5, 1e30))
    yield from (filled(tensor, x) for x in numbers if x >= 0 or tensor.dtype.is_signed)


def filled(tensor: Tensor, number: float) -> Tensor:
    """A tensor of one number; one that is too large for its dtype becomes infinite."""
    return torch.full_like(tensor, number, dtype=torch.float64).to(tensor.dtype)


DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]
MISSING = object()
VALUES = [
    *(MISSING, None, True, False, -1, 0, 1, 2, 2**31, 2**63, 10**400, -(10**30), 0.5, -0.5),
    *(1e308, float("nan"), float("inf"), "", "text", "a\0b", "\udcff", "1", [], {}, [1], [[]]),
    *({"a": 1}, {"$tensor": "tally"}, {"$tensor": "none"}, {"$tensor": ["tally"]}),
    *({"$dict": [[[], 1]]}, {"$dict": [1]}, {"$tuple": 1}, {"$tuple": [0.5, 2.0]}, DEEP),
]


def steps_of(value: Any, path: Steps = ()) -> Iterator[Steps]:
    """Where something stands in a document; of long lists of like things the ends."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from steps_of(inner, (*path, key))
    elif isinstance(value, list):
        for index in sorted({*range(min(len(value), 12)), *range(len(value))[-1:]}):
            yield from steps_of(value[index], (*path, index))


def replaced(document: Any, path: Steps, value: Any) -> Any:
    """A copy of a document with another value at a place."""
    changed = copy.deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def mutants(checkpoint: Checkpoint, *, skipped: Steps = ()) -> Iterator[tuple[str, Checkpoint]]:
    """The checkpoint with every tensor and every value of its document replaced in turn."""
    tensors, document = checkpoint.tensors, checkpoint.document
    for name, tensor in tensors.items():
        for number, variant in enumerate(tensor_variants(tensor)):
            rest = {key: value for key, value in tensors.items() if key != name}
            changed = rest if variant is None else {**rest, name: variant.contiguous()}
            yield f"{name} {number}", Checkpoint(changed, document)
    for extra in ("model.extra", "optimizer.state.0.extra", "average.extra", "extra", "random.x"):
        yield f"more {extra}", Checkpoint({**tensors, extra: torch.ones(2)}, document)
    for path in steps_of(document):
        if path[:1] != skipped[:1] or not skipped:
            for number, value in enumerate(VALUES):
                yield f"{path} {number}", Checkpoint(tensors, replaced(document, path, value))
    yield "more", Checkpoint(tensors, {**document, "extra": 1})


def taken(optimizer: dict[str, Any]) -> tuple[Run, Checkpoint]:
    """A state in the middle of the second epoch, as it is read from a file."""
    torch.manual_seed(0)
    run = new_run(optimizer=optimizer)
    finish_epoch(run)
    take_steps(run, 2)
    state = capture_last(run)
    return run, Checkpoint(state.tensors, json.loads(json.dumps({"format": 1, **state.document})))


def outcome(run: Run, checkpoint: Checkpoint) -> ExitCode:
    """How going on from a checkpoint for two steps ends."""
    try:
        restore(run, checkpoint)
        restore_random(checkpoint, run)
        take_steps(run, 2)
        run.tally.read()
    except FaultError as error:
        assert all(fault.hint for fault in error.faults)
        return error.exit_code
    return ExitCode.DONE


TAKEN = {ExitCode.DONE, ExitCode.CHECKPOINT, ExitCode.DIVERGED}
"""Weights and averages of any size are taken; where they are not numbers, the loss is not one."""


def sweep(optimizer: dict[str, Any], share: float = 1.0) -> None:
    _, checkpoint = taken(optimizer)
    assert outcome(new_run(optimizer=optimizer), checkpoint) is ExitCode.DONE
    draw, found = random.Random(0), set()
    run = new_run(optimizer=optimizer)
    for what, mutant in mutants(checkpoint, skipped=("experiment",)):
        if draw.random() < share:
            code = outcome(run, mutant)
            assert code in TAKEN, what
            found.add(code)
            if code is not ExitCode.CHECKPOINT:  # a state that is refused changes nothing
                run = new_run(optimizer=optimizer)
    assert ExitCode.CHECKPOINT in found


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "adam", "amsgrad": True},
        pytest.param({"name": "lbfgs", "max_iter": 2}, marks=pytest.mark.long),
    ],
    ids=named,
)
def test_a_state_of_another_form_is_refused(optimizer: dict[str, Any]) -> None:
    sweep(optimizer, share=0.01)


@pytest.mark.long
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_every_part_of_a_state_is_held_against_the_run(optimizer: dict[str, Any]) -> None:
    # with its history of a hundred vectors, lbfgs has as many parts as all others together
    sweep(optimizer, share=0.1 if optimizer == {"name": "lbfgs"} else 1.0)


ADAM = {"name": "adam", "amsgrad": True}
WRONG: list[tuple[str, Any]] = [
    ("optimizer.state.0.exp_avg", torch.zeros(1)),
    ("optimizer.state.0.exp_avg", torch.zeros(4, 1, 3, 3, dtype=torch.float64)),
    ("optimizer.state.0.exp_avg_sq", torch.zeros(0)),
    ("optimizer.state.1.max_exp_avg_sq", torch.zeros(1000)),
    ("optimizer.state.0.step", torch.ones(4, 1, 3, 3)),
    ("optimizer.state.0.step", torch.tensor(-1.0)),
    ("optimizer.state.0.step", torch.tensor(float("nan"))),
    ("model.conv1.weight", torch.zeros(4, 1, 3, 3, dtype=torch.float64)),
    ("average.conv1.weight", torch.zeros(4, 1, 3)),
    ("random.cpu", torch.zeros(5056, dtype=torch.uint8)),
    ("random.cpu", torch.zeros(16, dtype=torch.uint8)),
    ("random.cpu", torch.zeros(5056)),
    ("tally", torch.zeros(3)),
    ("tally", torch.tensor([0.0, 0.0, float("nan")], dtype=torch.float64)),
]


@pytest.mark.parametrize(("name", "tensor"), WRONG)
def test_the_tensor_that_does_not_fit_is_named(name: str, tensor: Tensor) -> None:
    _, checkpoint = taken(ADAM)
    with pytest.raises(FaultError) as caught:
        restore(new_run(optimizer=ADAM), replace_tensor(checkpoint, name, tensor))
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    assert name.partition(".")[2] in str(caught.value)


def replace_tensor(checkpoint: Checkpoint, name: str, tensor: Tensor) -> Checkpoint:
    return Checkpoint({**checkpoint.tensors, name: tensor}, checkpoint.document)


def test_a_random_state_that_would_be_read_beyond_its_end_is_refused() -> None:
    """torch takes a state that says both that 624 numbers are left and that all are used up."""
    _, checkpoint = taken(ADAM)
    state = checkpoint.tensors["random.cpu"].clone()
    state[8:24] = torch.tensor([*(624).to_bytes(8, "little"), *(624).to_bytes(8, "little")])
    state[12] = 1
    torch.Generator().set_state(state)
    with pytest.raises(FaultError, match=r"random\.cpu"):
        restore(new_run(optimizer=ADAM), replace_tensor(checkpoint, "random.cpu", state))


DOCUMENT: list[tuple[Steps, Any, str]] = [
    (("counters", "epoch"), "1", "counters.epoch"),
    (("counters", "epoch"), 1.0, "counters.epoch"),
    (("counters", "step"), 10**400, "counters.step"),
    (("counters", "step"), 11, "counters"),
    (("counters", "best"), float("nan"), "counters.best"),
    (("counters", "best_epoch"), 2, "counters.best_epoch"),
    (("counters", "stopped_early"), 1, "counters.stopped_early"),
    (("counters", "more"), 1, "counters.more"),
    (("schedule", "reductions"), 10**12, "schedule.reductions"),
    (("schedule", "best"), [1.0], "schedule.best"),
    (("patience",), None, "patience"),
    (("patience", "bad_epochs"), -1, "patience.bad_epochs"),
    (("class_names",), 3, "class_names"),
    (("optimizer",), [], "optimizer"),
    (("torch",), None, "torch"),
]


@pytest.mark.parametrize(("path", "value", "place"), DOCUMENT)
def test_the_value_that_does_not_fit_is_named(path: Steps, value: Any, place: str) -> None:
    _, checkpoint = taken(ADAM)
    with pytest.raises(FaultError, match=f"invalid training state: {place}") as caught:
        document = replaced(checkpoint.document, path, value)
        restore(new_run(optimizer=ADAM), Checkpoint(checkpoint.tensors, document))
    assert caught.value.exit_code is ExitCode.CHECKPOINT


MOMENTUM = {"name": "sgd", "momentum": 0.9}


def entries(document: dict[str, Any]) -> list[Any]:
    """What the optimizer keeps of each weight, as pairs of its number and its parts."""
    (state, _) = document["optimizer"]["$dict"]
    kept: list[Any] = state[1]["$dict"]
    return kept


def test_a_weight_without_what_others_of_its_group_have_is_named() -> None:
    """torch's kernels take a group as a whole."""
    _, checkpoint = taken(MOMENTUM)
    changes: list[Callable[[Any], object]] = [
        lambda kept: kept.pop(1),
        lambda kept: kept[1].__setitem__(1, {"$dict": []}),
    ]
    for change in changes:
        document = copy.deepcopy(checkpoint.document)
        change(entries(document))
        lost = "optimizer.state.1.momentum_buffer"
        rest = {name: tensor for name, tensor in checkpoint.tensors.items() if name != lost}
        words = r"state\.1: (momentum_buffer is missing|does not have the entries)"
        with pytest.raises(FaultError, match=words):
            restore(new_run(optimizer=MOMENTUM), Checkpoint(rest, document))


@pytest.mark.parametrize("value", [{"$tensor": "tally"}, 10**30, True, 2.0])
def test_a_weights_number_is_a_number(value: Any) -> None:
    _, checkpoint = taken(MOMENTUM)
    document = copy.deepcopy(checkpoint.document)
    (group,) = document["optimizer"]["$dict"][1][1]
    (numbers,) = (value for key, value in group["$dict"] if key == "params")
    numbers[1] = value
    with pytest.raises(FaultError, match=r"param_groups\.0\.params: does not match the experiment"):
        restore(new_run(optimizer=MOMENTUM), Checkpoint(checkpoint.tensors, document))


def test_an_integer_that_torch_cannot_take_is_refused() -> None:
    lbfgs = {"name": "lbfgs", "max_iter": 2}
    _, checkpoint = taken(lbfgs)
    document = copy.deepcopy(checkpoint.document)
    (part,) = (part for part in entries(document)[0][1]["$dict"] if part[0] == "t")
    part[1] = -(10**30)
    with pytest.raises(FaultError, match=r"optimizer\.state\.0\.t"):
        restore(new_run(optimizer=lbfgs), Checkpoint(checkpoint.tensors, document))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "everything.yaml").write_text(EVERYTHING, encoding="utf-8")
    words: list[str | Path] = [
        "train",
        folder / "everything.yaml",
        "train.epochs=2",
        "train.threads=1",
    ]
    done = invoke(*words, "--runs", folder)
    assert done.exit_code == 0, done.output
    return folder / "everything"


@pytest.fixture
def received(run_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(run_folder, tmp_path / "everything")
    return tmp_path / "everything"


COMMANDS = (
    ["train", "train.epochs=3", "train.device=cpu", "train.threads=1", "--resume"],
    ["eval", "--device", "cpu"],
    ["summary"],
)


def try_all_commands(run: Path, checkpoint: Checkpoint, what: str) -> None:
    """Resume, evaluate and show a run with this checkpoint: done, or refused with words."""
    for name in ("last", "best"):
        save(checkpoint, run / "checkpoints" / f"{name}.safetensors")
    for words in COMMANDS:
        done = invoke(*words, run)
        assert done.exit_code in {0, 2, 3, 4, 7}, f"{what}: {words}: {done.output}"
        assert done.exit_code == 0 or done.stderr.count("\n") < 100


def test_commands_refuse_what_is_nested_or_asks_too_much(received: Path) -> None:
    real = load(received / "checkpoints" / "last.safetensors")
    rows = {"name": "inline", "inputs": [[0.5]] * 200_000, "targets": [0] * 200_000}
    fake = {"name": "fake", "shape": [1000, 1000, 10], "samples": 10**6}
    nested: Any = {"linear": 3}
    for _ in range(150):
        nested = {"residual": {"layers": [nested]}}
    for section, value in (("data", rows), ("data", fake), ("model", {"layers": [nested]})):
        path: Steps = ("experiment", section)
        mutant = Checkpoint(real.tensors, replaced(real.document, path, value))
        save(mutant, received / "checkpoints" / "last.safetensors")
        done = invoke("train", "--resume", received, "train.epochs=3")
        assert done.exit_code == 4, done.output
        done = invoke("summary", received / "checkpoints" / "last.safetensors")
        assert done.exit_code == 4, done.output


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_commands_take_or_refuse_every_mutant(part: int, run_folder: Path, tmp_path: Path) -> None:
    real = load(run_folder / "checkpoints" / "last.safetensors")
    run = tmp_path / "everything"
    for number, (what, mutant) in enumerate(mutants(real)):
        # all of them would take hours; the state's own are tried above
        if number % 8 == part and random.Random(what).random() < 0.1:
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(run_folder, run)
            try_all_commands(run, mutant, what)


@pytest.mark.long
def test_whole_processes_end_with_words(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    """A kernel that runs out of bounds would end this process, too."""
    real = load(run_folder / "checkpoints" / "last.safetensors")
    run = tmp_path / "everything"
    for what, mutant in random.Random(1).sample(list(mutants(real)), 25):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(run_folder, run)
        save(mutant, run / "checkpoints" / "last.safetensors")
        done = cli(*COMMANDS[0], run)
        assert done.returncode in {0, 2, 3, 4, 7}, f"{what}: {done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.long
@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_bytes_make_more_than_a_fault(data: st.DataObject, received: Path) -> None:
    path = received / "checkpoints" / "best.safetensors"
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 64, len(content))))
        content[start:end] = data.draw(st.binary(max_size=64))
    damaged = received / "checkpoints" / "damaged.safetensors"
    damaged.write_bytes(content)
    try:
        load(damaged)
    except FaultError as error:
        assert error.exit_code is ExitCode.CHECKPOINT
    else:
        assert content == path.read_bytes()


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.long
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_document_makes_more_than_a_fault(data: st.DataObject) -> None:
    _, checkpoint = taken(ADAM)
    document = checkpoint.document
    places = [path for path in steps_of(document) if path[0] != "experiment"]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places))
        try:
            document = replaced(document, path, data.draw(plain))
        except (KeyError, IndexError, TypeError):
            continue  # the place went with an earlier change
    run = new_run(optimizer=ADAM)
    assert outcome(run, Checkpoint(checkpoint.tensors, document)) in TAKEN


words = st.text(max_size=12) | st.sampled_from(["auto", "adam", "digits", "mean", "../a", "$x"])
numbers = st.integers() | st.sampled_from([0, -1, 1, 2**31, 2**63, 10**12]) | st.floats()
other_values = plain | words | numbers | st.sampled_from(VALUES[:-1])
"""Without the deepest, of which no copy can be made."""


def one_of(draw: st.DrawFn, choices: Sequence[Any]) -> Any:
    """One of them; how many there are differs from run to run, and may not change the draw."""
    return choices[draw(st.integers(0, 2**16)) % len(choices)]


@st.composite
def changed(draw: st.DrawFn, checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint with up to three of its tensors and values replaced, moved or left out."""
    tensors, document = dict(checkpoint.tensors), checkpoint.document
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            name = one_of(draw, sorted(tensors))
            other = one_of(draw, [*tensor_variants(tensors[name]), *checkpoint.tensors.values()])
            del tensors[name]
            if other is not None:
                tensors[draw(st.sampled_from([name, f"{name}x", "model.x"]))] = (
                    other.contiguous().clone()
                )
            continue
        places = [*steps_of(document)]
        path = one_of(draw, places)
        value = draw(other_values)
        if draw(st.integers(0, 3)) == 0:  # what stands elsewhere in the document
            value = copy.deepcopy(at(document, one_of(draw, places)))
        document = replaced(document, path, value)
    return Checkpoint(tensors, document)


def at(document: Any, path: Steps) -> Any:
    for step in path:
        document = document[step]
    return document


def fuzz(data: st.DataObject, run_folder: Path, tmp_path: Path) -> None:
    """Make a run folder of a changed checkpoint, and do all that can be done with one."""
    mutant = data.draw(changed(load(run_folder / "checkpoints" / "last.safetensors")))
    run = tmp_path / "everything"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(run_folder, run)
    try_all_commands(run, mutant, "a drawn checkpoint")


FUZZING = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=4, deadline=None, suppress_health_check=FUZZING, derandomize=True)
@given(data=st.data())
def test_some_drawn_checkpoints_are_taken_or_refused(
    data: st.DataObject, run_folder: Path, tmp_path: Path
) -> None:
    fuzz(data, run_folder, tmp_path)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=FUZZING)
@given(data=st.data())
def test_any_drawn_checkpoint_is_taken_or_refused(
    data: st.DataObject, run_folder: Path, tmp_path: Path
) -> None:
    fuzz(data, run_folder, tmp_path)
