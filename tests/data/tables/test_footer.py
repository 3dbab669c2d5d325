import io
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.data.tables.footer import uncompressed_bytes

pl = pytest.importorskip("polars")


def parquet_of(
    rows: int, *, compression: str, columns: int = 3, row_group_size: int = 100
) -> bytes:
    numbers = np.arange(rows * columns, dtype=np.float64).reshape(rows, columns)
    frame = pl.DataFrame({f"x{at}": numbers[:, at] for at in range(columns)})
    file = io.BytesIO()
    frame.write_parquet(file, compression=compression, row_group_size=row_group_size)
    return file.getvalue()


@pytest.mark.parametrize("columns", [1, 3, 40])
def test_the_bytes_of_all_columns_and_row_groups_are_counted(columns: int) -> None:
    plain = parquet_of(1000, compression="uncompressed", columns=columns)
    packed = parquet_of(1000, compression="zstd", columns=columns)
    # numbers that all differ take 8 bytes each, and what is not compressed is in the file
    assert 8 * 1000 * columns <= uncompressed_bytes(plain) <= len(plain)
    assert len(packed) < uncompressed_bytes(packed)
    assert uncompressed_bytes(packed) == pytest.approx(uncompressed_bytes(plain), rel=0.01)


FILE = parquet_of(50, compression="zstd")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", FILE[:-1], FILE[1:], b"x,y\n1,2\n"])
def test_what_is_no_parquet_file_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="PAR1"):
        uncompressed_bytes(content)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_footer_is_read_or_is_an_error(footer: bytes) -> None:
    content = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    with suppress(ValueError):
        assert isinstance(uncompressed_bytes(content), int)


@given(st.lists(st.tuples(st.integers(0, len(FILE) - 1), st.integers(0, 255)), max_size=3))
@settings(max_examples=200)
def test_any_damage_is_read_or_is_an_error(changes: list[tuple[int, int]]) -> None:
    content = bytearray(FILE)
    for at, byte in changes:
        content[at] = byte
    with suppress(ValueError):
        assert isinstance(uncompressed_bytes(bytes(content)), int)


def test_a_footer_that_claims_to_be_longer_than_the_file_is_an_error() -> None:
    with pytest.raises(ValueError, match="longer than the file"):
        uncompressed_bytes(b"PAR1" + b"\xff\xff\xff\x7fPAR1")


@pytest.mark.parametrize("values", [b"\x19\xf1", b"\x19\xf3", b"\x19\xfc", b"\x1b"])
def test_a_footer_that_claims_more_values_than_it_holds_is_an_error(values: bytes) -> None:
    footer = values + b"\xff\xff\xff\xff\xff\xff\x7f\x11"
    content = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(ValueError, match="cut off"):
        uncompressed_bytes(content)


def test_a_footer_that_is_nested_without_end_is_an_error() -> None:
    footer = b"\x1c" * 100_000  # the first field of each struct is a struct
    content = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(ValueError, match="nested too deep"):
        uncompressed_bytes(content)
