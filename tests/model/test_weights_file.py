"""Files of weights are taken whole or refused, without running anything in them."""

from __future__ import annotations

import io
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from cnnctl.checkpoint import Checkpoint, save
from cnnctl.errors import ExitCode, FaultError
from cnnctl.model.weights_file import read_weights

Tensors = dict[str, Tensor]


def state_dict() -> Tensors:
    """Of a network that calls its layers 0, 1, …"""
    torch.manual_seed(1)
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 10)
    return nn.Sequential(*layers).state_dict()


@pytest.mark.parametrize("wrap", ["", "state_dict", "model"])
def test_a_torch_file_is_read_with_or_without_its_wrapper(wrap: str, tmp_path: Path) -> None:
    state = state_dict()
    torch.save({wrap: state, "epoch": 3} if wrap else state, tmp_path / "net.pth")
    found = read_weights(tmp_path / "net.pth")
    assert list(found) == list(state)
    assert all(map(torch.equal, found.values(), state.values()))


def test_a_safetensors_file_is_read(tmp_path: Path) -> None:
    state = state_dict()
    safetensors.torch.save_file(state, tmp_path / "net.safetensors")
    found = read_weights(tmp_path / "net.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize(("parts", "value"), [(["model"], 1.0), (["model", "average"], 2.0)])
def test_a_checkpoint_gives_the_weights_to_evaluate_with(
    parts: list[str], value: float, tmp_path: Path
) -> None:
    tensors = {"random.cpu": torch.zeros(3), "optimizer.state.0.step": torch.zeros(1)}
    for number, part in enumerate(parts, 1):
        tensors[f"{part}.linear1.weight"] = torch.full((2, 2), float(number))
    safetensors.torch.save_file(tensors, tmp_path / "last.safetensors")
    found = read_weights(tmp_path / "last.safetensors")
    assert list(found) == ["linear1.weight"]
    assert found["linear1.weight"].eq(value).all()


class Bomb:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, "bomb.pth")
    Path("plain.pt").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("bomb.pth", "plain.pt"):
        refuse(Path(name), "contains more than tensors")
    assert not Path("exploded").exists()


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}", b"garbage" * 99])
def test_a_damaged_file_is_a_fault(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(tmp_path / name, "is damaged|no state dict")


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    refuse(tmp_path / "net.pth", "no such file")


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, {1: torch.zeros(1)}, torch.ones(2)])
def test_what_is_no_state_dict_is_a_fault(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "net.pth")
    refuse(tmp_path / "net.pth", "no state dict")


def refuse(path: Path, message: str) -> None:
    with pytest.raises(FaultError, match=message) as caught:
        read_weights(path)
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    (fault,) = caught.value.faults
    assert fault.hint
    assert fault.place == str(path)


ODD: dict[str, Callable[[], Tensor]] = {
    "on the meta device": lambda: torch.ones(2, device="meta"),
    "sparse coo": lambda: torch.eye(3).to_sparse(),
    "sparse csr": lambda: torch.eye(3).to_sparse_csr(),
    "sparse csc": lambda: torch.eye(3).to_sparse_csc(),
    "sparse bsr": lambda: torch.eye(4).to_sparse_bsr((2, 2)),
    "quantized": lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8),
    "complex": lambda: torch.ones(2, dtype=torch.complex64),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "1000000x1000000, larger than its stored data": lambda: torch.ones(1).expand(10**6, 10**6),
}
"""What weights_only lets through and no layer could keep."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("reason", ODD)
def test_a_tensor_that_is_no_weight_is_named(reason: str, wrap: bool, tmp_path: Path) -> None:
    state = {"conv.bias": torch.ones(2), "conv.weight": ODD[reason]()}
    torch.save({"state_dict": state} if wrap else state, tmp_path / "net.pth")
    refuse(tmp_path / "net.pth", f"conv.weight is {reason}")


def test_a_parameter_is_a_tensor(tmp_path: Path) -> None:
    torch.save({"weight": nn.Parameter(torch.ones(2))}, tmp_path / "net.pth")
    found = read_weights(tmp_path / "net.pth")
    assert type(found["weight"]) is Tensor
    assert not found["weight"].requires_grad


def test_shared_and_strided_tensors_are_read(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    state = {"a": base, "b": base, "c": base.T, "d": base[1:, ::2]}
    torch.save(state, tmp_path / "net.pth")
    found = read_weights(tmp_path / "net.pth")
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_a_flipped_bit_is_seen_or_changes_nothing(tmp_path: Path) -> None:
    """Between the parts of a zip there is padding, which says nothing."""
    state = state_dict()
    torch.save(state, path := tmp_path / "net.pth")
    whole, refused, draw = path.read_bytes(), 0, random.Random(0)
    for _ in range(300):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        try:
            found = read_weights(path)
        except FaultError as error:
            assert error.exit_code is ExitCode.CHECKPOINT
            refused += 1
        else:
            assert list(found) == list(state)
            assert all(map(torch.equal, found.values(), state.values()))
    assert refused > 150


def rezipped(content: bytes, **options: Any) -> bytes:
    """A zip of the same parts, written otherwise."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", **options) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
    return out.getvalue()


def test_a_zip_that_could_unfold_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(10**6)}, path := tmp_path / "net.pth")
    content = path.read_bytes()
    path.write_bytes(rezipped(content))
    assert read_weights(path)["weight"].shape == (10**6,)
    path.write_bytes(rezipped(content, compression=zipfile.ZIP_DEFLATED))
    refuse(path, "is damaged")


def test_files_of_old_are_read(tmp_path: Path) -> None:
    """As torchvision publishes some: no zip, and no check sums."""
    state = state_dict()
    torch.save(state, tmp_path / "net.pth", _use_new_zipfile_serialization=False)
    found = read_weights(tmp_path / "net.pth")
    assert list(found) == list(state)
    assert all(map(torch.equal, found.values(), state.values()))


def test_a_checkpoint_is_held_against_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save(Checkpoint({"model.linear1.weight": torch.ones(2, 2)}, {"experiment": {}}), path)
    assert list(read_weights(path)) == ["linear1.weight"]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refuse(path, "is damaged")


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_only_a_regular_file_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    refuse(path, "a pipe or a device, not a regular file")
    path.unlink()
    path.symlink_to("/dev/zero")
    refuse(path, "a pipe or a device, not a regular file")
    path.unlink()
    path.mkdir()
    refuse(path, "Is a directory")
