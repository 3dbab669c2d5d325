"""Files of arrays are read as they were written, or refused before memory is taken."""

import gzip
import os
import struct
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from cnnctl.data.arrays import archives
from cnnctl.data.arrays.reading import open_arrays
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.errors import ExitCode, FaultError

DTYPES = ["u1", "i1", "<u2", ">i4", "<i8", "<f2", ">f4", "<f8", "?", "<U3", "S4"]


def save(path: Path, kind: str, **named: Any) -> Path:
    """Arrays in a file of this kind, or in a folder."""
    if kind == "folder":
        path.mkdir(exist_ok=True)
        for name, array in named.items():
            np.save(path / f"{name}.npy", array, allow_pickle=True)
        return path
    write = {"npz": np.savez, "compressed": np.savez_compressed}[kind]
    write(path.with_suffix(".npz"), **named)
    return path.with_suffix(".npz")


def npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def fault_of(path: Path, name: str = "x") -> FaultError:
    with pytest.raises(FaultError) as error:
        open_arrays(path)[name].read()
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint
    return error.value


@pytest.mark.parametrize("kind", ["folder", "npz", "compressed"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_are_read_as_they_were_saved(kind: str, dtype: str, tmp_path: Path) -> None:
    array = np.arange(24).reshape(4, 3, 2).astype(dtype)
    saved = {"x": array, "fortran": np.asfortranarray(array), "none": array[:0], "one": array[0, 0]}
    found = open_arrays(save(tmp_path / "data", kind, **saved))
    assert found.keys() == saved.keys()
    for name, expected in saved.items():
        assert (found[name].shape, found[name].dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(found[name].read(), expected)
        assert isinstance(found[name].read(), np.memmap) == (kind == "folder" and expected.size > 0)


@given(array=arrays(scalar_dtypes(), array_shapes(max_dims=4, max_side=4)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_array_of_scalars_is_read_or_refused(array: Any, tmp_path: Path) -> None:
    found = open_arrays(save(tmp_path / "data", "npz", x=array))["x"]
    if array.dtype.kind in "biufUS":
        np.testing.assert_array_equal(found.read(), array)
    else:
        with pytest.raises(FaultError, match="not of numbers or texts"):
            found.read()


@given(content=st.binary(max_size=300), at=st.integers(0, 200), cut=st.integers(0, 300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_damage_anywhere_is_a_data_fault_or_another_array(
    content: bytes, at: int, cut: int, tmp_path: Path
) -> None:
    whole = npy(np.arange(20, dtype=np.int32))
    damaged = whole[:at] + content[:5] + whole[at + len(content[:5]) : max(at, cut)]
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", whole)
    packed = archive.getvalue()
    packed = packed[:at] + content[:3] + packed[at + len(content[:3]) :]
    for suffix, written in ((".npy", damaged), (".npy", content), (".npz", packed)):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(written)
        try:
            for array in open_arrays(path).values():
                array.read()
        except FaultError as error:
            assert error.exit_code is ExitCode.DATA


@pytest.mark.parametrize("kind", ["folder", "npz"])
@pytest.mark.parametrize(
    ("array", "message", "hint"),
    [
        (np.array([{}, []], dtype=object), "x holds Python objects", "dtype=str"),
        (np.zeros(3, dtype=[("a", "i4")]), "not of numbers or texts", "save its parts"),
        (np.zeros(3, dtype=complex), "x is of dtype complex128", "save its parts"),
        (np.zeros(3, dtype="M8[s]"), "not of numbers or texts", "save its parts"),
    ],
)
def test_what_is_no_number_or_text_is_refused_by_name(
    array: Any, message: str, hint: str, kind: str, tmp_path: Path
) -> None:
    error = fault_of(save(tmp_path / "data", kind, x=array, y=np.zeros(3)))
    assert message in str(error)
    assert hint in error.faults[0].hint


def test_an_object_array_that_nobody_asks_for_is_no_fault(tmp_path: Path) -> None:
    path = save(tmp_path / "data", "npz", x=np.zeros(3), other=np.array([{}], dtype=object))
    assert open_arrays(path)["x"].read().tolist() == [0, 0, 0]


def huge(dtype: str = "<f8", shape: str = "(1000000000000,)") -> bytes:
    """A header that claims terabytes, and nothing below it."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (huge(), "but 8,000,000,000,000 by its header: the file is truncated"),
        (huge(shape="(-1, 5)"), "its shape is"),
        (npy(np.zeros(9))[:-1], "71 bytes of numbers, but 72 by its header: the file is truncated"),
        (npy(np.zeros(9)) + b"x", "73 bytes of numbers, but 72 by its header"),
        (b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\xff" + b" " * 100, "x is not an array"),
        (b"\x93NUMPY\x03\x00" + b"\x10\x00\x00\x00" + b" " * 100, "x is not an array"),
        (huge(dtype="("), "x is not an array"),
        (b"", "x is not an array"),
        (b"PK\x03\x04", "x is not an array"),
    ],
)
def test_a_header_is_not_believed(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    assert message in str(fault_of(tmp_path / "x.npy"))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", content)
    assert message in str(fault_of(tmp_path / "x.npz"))


def test_a_damaged_archive_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = save(tmp_path / "data", "npz", x=np.zeros(1000))
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    assert "Bad CRC-32" in str(fault_of(path))
    path.write_bytes(content[:4000])
    assert "is damaged, or not a file of arrays" in str(fault_of(path))


def test_an_archive_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "data", "compressed", x=np.zeros(1000))
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(content)
    assert "claims 4,294,967,294 bytes, which the file cannot hold" in str(fault_of(path))


def test_an_archive_is_not_read_beyond_half_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "machine_memory", lambda: 15_000)
    path = save(tmp_path / "data", "npz", x=np.zeros(1000))
    error = fault_of(path)
    assert "x takes 8,000 bytes, more than half of the memory" in str(error)
    assert error.faults[0].hint.startswith("unpack data.npz into a folder")
    folder = tmp_path / "data"
    zipfile.ZipFile(path).extractall(folder)
    assert open_arrays(folder)["x"].read().shape == (1000,)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_is_read_in_place(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "data.tar.gz"
    wanted = {"y": np.arange(3), "x": np.asfortranarray(np.arange(12.0).reshape(3, 4))}
    with tarfile.open(path, mode) as archive:
        for name, array in wanted.items():
            add(archive, f"deep/{name}.npy", npy(array))
        add(archive, "deep/._x.npy", b"what macOS leaves")
    found = open_arrays(path)
    assert found.keys() == wanted.keys()
    for name in ("x", "y", "x"):  # backwards, too
        np.testing.assert_array_equal(found[name].read(), wanted[name])
    assert [each.name for each in tmp_path.iterdir()] == ["data.tar.gz"]


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **more: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    archive.addfile(info, BytesIO(content))


@pytest.mark.parametrize("name", ["../x.npy", "/x.npy", "a/../x.npy", "a\\x.npy"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_array_that_leads_out_of_its_archive_is_refused(
    tmp_path: Path, name: str, kind: str
) -> None:
    path = tmp_path / f"data.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            zipped.writestr(name, npy(np.zeros(9)))
    else:
        with tarfile.open(path, "w") as archive:
            add(archive, name, npy(np.zeros(9)))
    assert "its name leads out of the archive" in str(fault_of(path))


def test_links_and_claims_in_a_tar_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as archive:
        add(archive, "x.npy", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    assert "x.npy: is a link or a device" in str(fault_of(tmp_path / "link.tar"))
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as file:
        info = tarfile.TarInfo("x.npy")
        info.size = 2**40
        file.write(info.tobuf() + npy(np.zeros(9)))
    assert "x.npy claims 1,099,511,627,776 bytes" in str(fault_of(tmp_path / "bomb.tar.gz"))
    with tarfile.open(tmp_path / "short.tar", "w") as archive:
        add(archive, "x.npy", npy(np.zeros(9))[:-8])
    assert "the file is truncated" in str(fault_of(tmp_path / "short.tar"))


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", npy(np.zeros(9)))
    assert "in a way that NumPy does not use" in str(fault_of(tmp_path / "x.npz"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("x.npy", npy(np.zeros(9)))
    assert "two arrays of the name x" in str(fault_of(tmp_path / "x.npz"))


def test_what_is_not_there_or_holds_no_arrays_is_refused(tmp_path: Path) -> None:
    assert "no such file or folder" in str(fault_of(tmp_path / "x.npz"))
    (tmp_path / "x.csv").touch()
    assert "holds no NumPy arrays" in str(fault_of(tmp_path / "x.csv"))
    (tmp_path / "x.npz").write_text("no archive")
    assert "is damaged, or not a file of arrays" in str(fault_of(tmp_path / "x.npz"))
    (tmp_path / "none").mkdir()
    assert "has no .npy files" in str(fault_of(tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe.npy")
    assert "no such file" in str(fault_of(tmp_path / "pipe.npy"))


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.zeros(3))
    folder = save(tmp_path / "data", "folder", x=np.zeros(3))
    (folder / "y.npy").symlink_to(tmp_path / "secret.npy")
    (folder / "z.npy").symlink_to(folder / "x.npy")
    assert open_arrays(folder).keys() == {"x", "z"}


def test_a_stored_array_names_itself_in_faults(tmp_path: Path) -> None:
    array: StoredArray = open_arrays(save(tmp_path / "data", "npz", x=np.zeros(3)))["x"]
    error = array.fault("is wrong", hint="mend it", at=2)
    assert str(error) == f"{tmp_path / 'data.npz'}: x[2] is wrong\n    mend it"
