"""Files in archives are those that `tarfile` finds, whoever wrote the archive."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.shards import headers
from cnnctl.data.shards.headers import Member, is_below, members

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
NAMES = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
FILES = st.lists(
    st.tuples(
        st.one_of(NAMES, st.integers(1, 300).map("n".__mul__), st.just("f/" + "g" * 120)),
        st.binary(max_size=1500),
        KINDS,
        st.one_of(st.integers(0, 2**31), st.floats(0, 2e9)),
    ),
    max_size=6,
)


def archive_of(files: list[tuple[Any, ...]], form: int) -> bytes:
    target = BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content, kind, mtime in files:
            member = tarfile.TarInfo(name)
            member.type, member.mtime, member.linkname = kind, mtime, "x"
            member.size = len(content) if kind in tarfile.REGULAR_TYPES else 0
            try:
                archive.addfile(member, BytesIO(content))
            except ValueError:  # too long a name for this format
                continue
    return target.getvalue()


def told_by_tarfile(content: bytes) -> list[Member]:
    with tarfile.open(fileobj=BytesIO(content), mode="r:") as archive:
        return [Member(m.name, m.offset_data, m.size) for m in archive if m.isreg()]


@given(FILES, st.sampled_from(FORMATS))
def test_files_are_those_that_tarfile_finds(files: list[tuple[Any, ...]], form: int) -> None:
    content = archive_of(files, form)
    assert list(members(BytesIO(content))) == told_by_tarfile(content)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("mtime", [1_700_000_000, 1_700_000_000.123])
def test_usual_archives_do_not_need_tarfile(
    form: int, mtime: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [("Ä" * 120, b"c", tarfile.REGTYPE, mtime)] if form == tarfile.PAX_FORMAT else []
    files = [("a.jpg", b"a" * 700, tarfile.REGTYPE, mtime), *long]
    content = archive_of([*files, ("z.cls", b"1", tarfile.REGTYPE, mtime)], form)
    expected = told_by_tarfile(content)
    monkeypatch.setattr(headers, "_others", lambda raw, place: iter(()))
    assert list(members(BytesIO(content))) == expected


@given(FILES, st.sampled_from(FORMATS), st.data())
def test_damaged_archives_have_the_files_that_tarfile_finds_or_an_error(
    files: list[tuple[Any, ...]], form: int, data: st.DataObject
) -> None:
    content = bytearray(archive_of(files, form))
    content[data.draw(st.integers(0, min(len(content), 4096) - 1))] ^= data.draw(
        st.integers(1, 255)
    )
    try:
        found = list(members(BytesIO(content)))
    except (tarfile.TarError, ValueError, OverflowError):
        return
    assert found == told_by_tarfile(bytes(content))


def test_a_damaged_header_is_not_taken_for_the_end() -> None:
    files = [(name, b"1", tarfile.REGTYPE, 0) for name in "abc"]
    content = bytearray(archive_of(files, tarfile.USTAR_FORMAT))
    content[1024] ^= 1  # in the name of b
    with pytest.raises(tarfile.ReadError, match="damaged"):
        list(members(BytesIO(content)))


@pytest.mark.parametrize("name", ["", ".", "./", "/a", "../a", "a/../b", "a\\b"])
def test_names_that_lead_out_of_the_archive(name: str) -> None:
    assert not is_below(name)
    assert is_below(f"a{Path('b') / 'c'}")
