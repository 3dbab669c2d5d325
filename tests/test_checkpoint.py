import hashlib
import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnctl.checkpoint import Checkpoint, load, load_weights, pack, save, unpack
from cnnctl.errors import ExitCode, FaultError
from cnnctl.layout import Part


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    tensors = {"model.weight": torch.arange(6.0).view(2, 3), "tally": torch.ones(3)}
    path = tmp_path / "last.safetensors"
    save(Checkpoint(tensors, {"experiment": {"name": "größe"}, "best": float("inf")}), path)
    return path


def refusal(path: Path) -> FaultError:
    with pytest.raises(FaultError) as caught:
        load(path)
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    assert all(fault.hint and fault.place == str(path) for fault in caught.value.faults)
    return caught.value


def test_what_was_saved_is_read_back(saved: Path) -> None:
    checkpoint = load(saved)
    assert torch.equal(checkpoint.tensors["model.weight"], torch.arange(6.0).view(2, 3))
    assert checkpoint.document["experiment"] == {"name": "größe"}
    assert checkpoint.document["best"] == float("inf")
    assert checkpoint.under(Part.MODEL).keys() == {"weight"}


def test_the_file_is_plain_safetensors(saved: Path) -> None:
    tensors = safetensors.torch.load_file(saved)
    assert torch.equal(tensors["tally"], torch.ones(3))


CONTENT = Checkpoint(
    {"tally": torch.ones(3), "b": torch.zeros(1, dtype=torch.int64), "a": torch.zeros(())},
    {"experiment": {"name": "größe"}, "best": None},
)


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    written = set()
    for _ in range(20):  # safetensors' own order changes from call to call
        save(CONTENT, tmp_path / "last.safetensors")
        written.add((tmp_path / "last.safetensors").read_bytes())
    assert len(written) == 1


@pytest.mark.long
def test_equal_content_is_equal_bytes_in_every_process(tmp_path: Path) -> None:
    written = set()
    for seed in "012":
        path = tmp_path / f"{seed}.safetensors"
        program = (
            "import torch; from pathlib import Path\n"
            "from cnnctl.checkpoint import Checkpoint, save\n"
            "names = {f'{n}' for n in range(9)}\n"
            "tensors = {name: torch.ones(2) for name in names}\n"
            f"save(Checkpoint(tensors, {{'best': 1}}), Path({str(path)!r}))"
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        written.add(path.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("keys", [("cnnctl", "sha256"), ("sha256", "cnnctl")])
def test_files_of_earlier_versions_are_read(keys: tuple[str, str], tmp_path: Path) -> None:
    """Their metadata stands in either order, and before the tensors."""
    document = json.dumps({"format": 1, "best": 2.5})
    values = {"cnnctl": document, "sha256": "0" * 64}
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    header = {"__metadata__": {key: values[key] for key in keys}, "model.weight": tensor}
    text = json.dumps(header, separators=(",", ":")).encode()
    content = len(text).to_bytes(8, "little") + text + struct.pack("<2f", 1.0, -2.0)
    digest = hashlib.sha256(content).hexdigest().encode()
    path = tmp_path / "old.safetensors"
    path.write_bytes(content.replace(b"0" * 64, digest))
    checkpoint = load(path)
    assert torch.equal(checkpoint.tensors["model.weight"], torch.tensor([1.0, -2.0]))
    assert checkpoint.document["best"] == 2.5


def test_every_flipped_bit_is_found(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        damaged.write_bytes(flipped)
        refusal(damaged)


def test_every_cut_is_found(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        refusal(cut)


def test_a_newer_format_is_refused(saved: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.safetensors"
    save(Checkpoint(load(saved).tensors, {"format": 2}), newer)
    assert "format 2; this cnnctl reads up to 1" in str(refusal(newer))


class Payload:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (Path("unpickled"),)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.safetensors"
    content = io.BytesIO()
    torch.save({"weights": Payload()}, content)
    path.write_bytes(content.getvalue())
    assert "is a pickle" in str(refusal(path))
    assert not Path("unpickled").exists()


def test_an_old_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert "is a pickle" in str(refusal(path))


def test_another_programs_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, path)
    assert "not a cnnctl checkpoint" in str(refusal(path))


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 100, b"\xff" * 100])
def test_no_checkpoint_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nothing.safetensors"
    path.write_bytes(content)
    refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in str(refusal(tmp_path / "none.safetensors"))


def test_a_failed_save_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(FaultError) as caught:
        save(Checkpoint({"weight": torch.zeros(1000)}, {}), saved)
    assert caught.value.exit_code is ExitCode.STORAGE
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FaultError, match="do not fit the network"):
        load_weights(nn.Linear(2, 3), {"weight": torch.ones(3, 3), "bias": torch.ones(3)})
    with pytest.raises(FaultError, match="do not fit the network"):
        load_weights(nn.Linear(2, 3), {"weight": torch.ones(3, 2)})


plain = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
leaves = plain | st.text(max_size=5) | st.integers(0, 4).map(lambda n: torch.arange(n) / 3)
states = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers(0, 9) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=True)
        return type(one) is type(other) and all(same(a, b) for a, b in pairs)
    return type(one) is type(other) and one == other


@settings(max_examples=100, deadline=None)
@given(states)
def test_a_packed_state_comes_back_the_very_same(state: object) -> None:
    tensors, skeleton = pack(state, prefix="state")
    assert same(unpack(json.loads(json.dumps(skeleton)), tensors), state)


def test_a_state_that_cannot_be_packed_is_a_bug_with_its_name() -> None:
    with pytest.raises(TypeError, match=r"state\.hook: a builtin_function_or_method"):
        pack({"hook": print}, prefix="state")


def test_shared_memory_is_stored_apart(tmp_path: Path) -> None:
    weight = torch.arange(4.0)
    tensors, skeleton = pack({"a": weight, "b": weight[:2]}, prefix="state")
    save(Checkpoint(tensors, {"state": skeleton}), tmp_path / "shared.safetensors")
    restored = load(tmp_path / "shared.safetensors")
    assert same(
        unpack(restored.document["state"], restored.tensors), {"a": weight, "b": weight[:2]}
    )
