import csv
import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.tables import files, reading
from cnnctl.data.tables.files import is_table
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
        (b",a,\n1,2,3\n", r"t.csv:1: column 3 has no name"),
        (b",a,b\n0,2,3\n0,4,5\n", r"t.csv:1: column 1 has no name"),
        (b",1,2.5\n3,4,5\n", r"t.csv:1: has numbers instead of the names of columns"),
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


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b",a\n0,x\n1,y\n", ["Unnamed: 0", "a"]),
        (b'""\t"a"\n"id7"\t"x"\n"id3"\t"y"\n', ["Unnamed: 0", "a"]),  # as R's write.csv quotes
        (b",Unnamed: 0,a\n0,0,x\n1,1,y\n", ["Unnamed: 0.1", "Unnamed: 0", "a"]),  # saved twice
    ],
)
def test_an_index_without_a_name_gets_that_of_pandas(
    content: bytes, names: list[str], tmp_path: Path
) -> None:
    table = table_of(tmp_path, content)
    assert list(table.columns) == names
    assert table.columns["a"] == ["x", "y"]


def test_files_that_cannot_be_read_are_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FaultError, match="no such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(FaultError, match="no such file"):
        read_table(tmp_path)
    monkeypatch.setattr(files, "MAX_BYTES", 5)
    with pytest.raises(FaultError, match=r"t.csv: cannot be read: "):
        table_of(tmp_path, b"a,b\n1,2\n")


def test_a_column_that_is_missing_is_a_fault_with_the_nearest_names(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="has no column lenght") as error:
        table_of(tmp_path, b"length,b\n1,2\n").cells("lenght")
    assert error.value.faults[0].hint == "did you mean length?"


def archived(path: Path, contents: Mapping[str, bytes]) -> Path:
    """A .zip or .tar.gz archive with these files."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


archives = pytest.mark.parametrize("name", ["t.zip", "t.tar.gz"])


@archives
def test_the_only_table_of_an_archive_is_read_in_place(name: str, tmp_path: Path) -> None:
    content = b"a,b\n1,x\n2\n"
    path = archived(tmp_path / name, {"read.me": b"about", "x/t.csv": content[:-2]})
    table, alone = read_table(path), table_of(tmp_path, content[:-2])
    assert (table.columns, table.digest) == (alone.columns, alone.digest)
    assert is_table(path)
    assert {each.name for each in tmp_path.iterdir()} == {name, "t.csv"}
    archived(path, {"x/t.csv": content})
    with pytest.raises(FaultError, match=rf"{name}/x/t.csv:3: 1 cells, but the header has 2"):
        read_table(path)


@archives
@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "has no table among 0 files"),
        ({"a.txt": b"a,b\n1,2\n"}, "has no table among 1 files"),
        ({"../a.csv": b"a,b\n1,2\n"}, "has no table among 0 files"),
        (dict.fromkeys(("a.csv", "b.tsv"), b"a,b\n"), "holds 2 tables: a.csv, b.tsv"),
        (dict.fromkeys(map("{}.csv".format, range(9)), b""), r"9 tables: 0.csv, 1.csv, 2.csv, …"),
        ({"a.csv": b"a,b\n" + b"1,2\n" * 100}, r"a.csv: has 404 bytes, more than the limit of 99"),
    ],
)
def test_archives_without_one_table_are_faults(
    contents: Mapping[str, bytes],
    message: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = archived(tmp_path / name, contents)
    monkeypatch.setattr(files, "MAX_BYTES", 99)
    with pytest.raises(FaultError, match=message) as error:
        read_table(path)
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


@archives
def test_damaged_archives_are_faults(name: str, tmp_path: Path) -> None:
    path = archived(tmp_path / name, {"t.csv": b"a,b\n1,2\n"})
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(FaultError, match="is a damaged or unsupported archive"):
        read_table(path)
    assert not is_table(path)


def test_an_archive_with_pictures_is_no_table(tmp_path: Path) -> None:
    path = archived(tmp_path / "t.zip", {"labels.csv": b"a,b\n1,2\n", "cat/0.jpg": b""})
    assert not is_table(path)
    assert is_table(tmp_path / "t.CSV")
    assert not is_table(tmp_path / "t.txt")


def test_a_table_is_parsed_again_only_if_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = table_of(tmp_path, b"a,b\n1,2\n")
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_table_of", None)
        assert read_table(tmp_path / "t.csv") is first
    status = (tmp_path / "t.csv").stat()
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,3\n")
    os.utime(tmp_path / "t.csv", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_table(tmp_path / "t.csv").columns["b"] == ["3"]
    reading.forget_table()
    assert not reading._last


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
