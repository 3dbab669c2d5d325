"""A damaged Parquet file is a table or one fault, whatever polars makes of it."""

import io
import random
import subprocess
import sys
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from cnnctl.data.tables import parquet
from cnnctl.data.tables.reading import forget_table, read_table
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli

pl = pytest.importorskip("polars")

COMPRESSIONS = ("uncompressed", "zstd", "snappy", "gzip", "lz4")
PANIC = (46, 16)
"""A byte of `small()` and the bits to flip, so that polars 2.1 panics in a thread of its own."""


@cache
def valid(compression: str) -> bytes:
    rows = 200
    frame = pl.DataFrame(
        {
            "integer": range(rows),
            "float": [row / 7 for row in range(rows)],
            "flag": [None if row % 4 else True for row in range(rows)],
            "text": ["abc" * (row % 9) for row in range(rows)],
            "category": pl.Series([f"y{row % 3}" for row in range(rows)], dtype=pl.Categorical),
            "moment": [datetime(2020, 1, 1) + timedelta(hours=row) for row in range(rows)],
        }
    )
    target = io.BytesIO()
    frame.write_parquet(target, compression=compression, row_group_size=77)
    return target.getvalue()


def small() -> bytes:
    target = io.BytesIO()
    frame = pl.DataFrame({"x": [1, 2, 3], "y": ["a", "b", "a"]})
    frame.write_parquet(target, compression="uncompressed", statistics=False)
    return target.getvalue()


def flipped(content: bytes, at: int, bits: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= bits
    return bytes(changed)


def damaged(seed: int) -> bytes:
    """A valid file with bytes flipped, cut out or added, in its pages or its footer."""
    chance = random.Random(seed)
    content = bytearray(valid(chance.choice(COMPRESSIONS)))
    footer = int.from_bytes(content[-8:-4], "little") + 8
    first = 0 if chance.random() < 0.6 else len(content) - footer
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(first, len(content))
        kind = chance.random()
        if kind < 0.8:
            content[at] ^= chance.randrange(1, 256)
        elif kind < 0.9:
            del content[at : at + chance.randrange(1, 5)]
        else:
            content[at:at] = chance.randbytes(4)
    return bytes(content)


def check(path: Path) -> None:
    """Read a file: its rows have all columns, or there is one fault."""
    forget_table()
    try:
        table = read_table(path)
    except FaultError as error:
        assert error.exit_code is ExitCode.DATA
        (fault,) = error.faults
        assert fault.place.startswith(str(path))
        assert fault.message and fault.hint
    else:
        assert {len(cells) for cells in table.columns.values()} == {len(table)}


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_is_a_table_or_a_fault(
    seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.parquet").write_bytes(damaged(seed))
    check(tmp_path / "t.parquet")
    assert capfd.readouterr() == ("", "")


@pytest.mark.long
def test_many_damaged_files_are_tables_or_faults(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(8, 300):
        (tmp_path / "t.parquet").write_bytes(damaged(seed))
        check(tmp_path / "t.parquet")
    assert capfd.readouterr() == ("", "")


def test_a_command_prints_one_fault_where_polars_panics(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "t.parquet").write_bytes(flipped(small(), *PANIC))
    done = cli("init", "t.parquet")
    assert done.returncode == ExitCode.DATA
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("t.parquet: is not a Parquet file that can be read: polars failed")


def with_reader(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A valid file, and this in the place of the process that reads it."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    (folder / "t.parquet").write_bytes(small())
    return folder / "t.parquet"


@pytest.mark.parametrize(
    "script",
    [
        "echo; kill -SEGV $$",
        "echo; read line; kill -SEGV $$",
        r"""echo; printf '[3, [["x", "Int64", true]]]\n5\n1'; kill -SEGV $$""",
        r"""echo; printf '[3, [["x", "Int'; kill -SEGV $$""",
    ],
)
def test_a_reader_that_dies_is_a_fault(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_reader(tmp_path, monkeypatch, script)
    with pytest.raises(FaultError, match=r"t\.parquet: .* polars ended with SIGSEGV") as error:
        read_table(path)
    assert error.value.exit_code is ExitCode.DATA


def test_polars_that_cannot_be_imported_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_reader(tmp_path, monkeypatch, "kill -ILL $$")
    with pytest.raises(FaultError, match="polars, which cannot be imported: SIGILL") as error:
        read_table(path)
    assert error.value.exit_code is ExitCode.USAGE


def test_the_reader_loads_nothing_that_starts_slowly() -> None:
    code = f"import sys, {parquet.READER}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pydantic", "numpy", "cnnctl.config"} & set(done.stdout.split())


def test_a_bug_of_ours_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = r"""echo; cat > /dev/null; printf '{"traceback": "KeyError: x"}\n'"""
    with pytest.raises(RuntimeError, match="KeyError: x"):
        read_table(with_reader(tmp_path, monkeypatch, script))


def test_the_memory_of_the_reader_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MB of zeros are a few bytes in the file, and a footer that says less would be believed."""
    zeros = pl.zeros(2**23, dtype=pl.Float64, eager=True)
    pl.DataFrame({"x": zeros}).write_parquet(tmp_path / "t.parquet")
    monkeypatch.setattr(parquet, "MAX_MEMORY", 400 * 2**20)
    with pytest.raises(FaultError, match="polars ended with SIGABRT") as error:
        read_table(tmp_path / "t.parquet")
    assert "split it if memory ran out" in error.value.faults[0].hint
