import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.tables import reading
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.errors import ExitCode, FaultError


def table_of(folder: Path, content: bytes, name: str = "t.csv") -> Table:
    (folder / name).write_bytes(content)
    return read_table(folder / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b"a,b\n1,x y\n2,z\n"),
        ("t.csv", b"\xef\xbb\xbfa,b\r\n1,x y\r\n2,z"),
        ("t.csv", b"a;b\n1;x y\n2;z\n"),
        ("t.txt", b"a|b\n1|x y\n\n2|z\n\n"),
        ("t.csv", b"a\tb\n1\tx y\n2\tz\n"),
        ("t.tsv", b'a\t"b"\n1\t"x y"\n2\tz\n'),
        ("t.csv", b" a , b\n 1, x y\n2 ,z\n"),
    ],
)
def test_the_usual_forms_of_a_table_are_read_alike(
    name: str, content: bytes, tmp_path: Path
) -> None:
    table = table_of(tmp_path, content, name)
    assert table.columns == {"a": ["1", "2"], "b": ["x y", "z"]}


def test_rows_know_the_line_that_they_start_at(tmp_path: Path) -> None:
    table = table_of(tmp_path, b'a,b\n1,"two\nlines"\n\n2,"one ""quoted"" word"\n3,c\n')
    assert list(table.lines) == [2, 5, 6]
    assert table.columns["b"] == ["two\nlines", 'one "quoted" word', "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"t.csv: is empty"),
        (b"\n\n", r"t.csv: is empty"),
        (b"a,b\n", r"t.csv: has no rows below its header"),
        (b"a,b\n1,2\n1,2,3\n", r"t.csv:3: 3 cells, but the header has 2"),
        (b'a,b\n"1\n2",2\n1\n', r"t.csv:4: 1 cells, but the header has 2"),
        (b"a,b,a\n1,2,3\n", r"t.csv:1: 2 columns are named a"),
        (b"a,,b\n1,2,3\n", r"t.csv:1: column 2 has no name"),
        (b"1,2.5\n3,4\n", r"t.csv:1: has numbers instead of the names of columns"),
        (b"a,b\n1,2\n3,\x00\n", r"t.csv:3: has a NUL character"),
        (b"a,b\n1,caf\xe9\n", r"t.csv:2: is not UTF-8: byte 9 is 0xe9"),
        (b"\xef\xbb\xbfa,b\n1,caf\xe9\n", r"t.csv:2: is not UTF-8: byte 12 is 0xe9"),
        ("a,b\n1,2\n".encode("utf-16"), r"t.csv: is UTF-16, not UTF-8"),
        (b'a,b\n1,"2"3\n4,5\n', r"t.csv:2: cannot be split: "),
        (b'a,b\n1,2\n3,"4\n5,6\n', r"t.csv:3: cannot be split: unexpected end of data"),
        (b"a,b\n1,%s\n" % (b"x" * 10_001), r"t.csv:2: a cell of 10,001 characters"),
        (",".join(map("c{}".format, range(10_001))).encode(), r"t.csv: has 10,001 columns"),
    ],
)
def test_faults_are_named_by_line(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=message) as error:
        table_of(tmp_path, content)
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def test_files_that_cannot_be_read_are_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FaultError, match="no such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(FaultError, match="no such file"):
        read_table(tmp_path)
    monkeypatch.setattr(reading, "MAX_BYTES", 5)
    with pytest.raises(FaultError, match=r"t.csv: cannot be read: "):
        table_of(tmp_path, b"a,b\n1,2\n")


def test_a_column_that_is_missing_is_a_fault_with_the_nearest_names(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="has no column lenght") as error:
        table_of(tmp_path, b"length,b\n1,2\n").cells("lenght")
    assert error.value.faults[0].hint == "did you mean length?"


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(str.strip)


@given(
    rows=st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1),
    delimiter=st.sampled_from(",;\t|"),
)
def test_what_python_writes_is_read_back(
    rows: list[list[str]], delimiter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["first", "second"], *rows])
    folder = tmp_path_factory.mktemp("tables")
    table = table_of(folder, text.getvalue().encode())
    assert list(map(list, zip(*table.columns.values(), strict=True))) == rows
