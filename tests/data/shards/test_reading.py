import random
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from cnnctl.data.shards.headers import MAX_HEADER
from cnnctl.data.shards.reading import (
    MAX_LABEL,
    DamagedShardError,
    label_in,
    samples_in,
)
from tests.shards import picture, write_tar

SAMPLE = [("a.png", picture(0)), ("a.cls", b"1")]


def test_a_sample_is_what_has_one_name(tmp_path: Path) -> None:
    long = f"folder/{'x' * 150}"  # which needs a header of its own
    members = [
        ("b.json", b'{"label": "dog"}'),
        ("b.JPG", b"any bytes"),
        (f"{long}.jpg", b"others"),
        (f"{long}.txt", b"a caption"),
        (f"{long}.json", b'{"cls": 3, "id": 1}'),
    ]
    file = write_tar(tmp_path / "0.tar", members)
    found = samples_in(file, label="json")
    assert [(each.name, each.label) for each in found] == [
        ("b.JPG", "dog"),
        (f"{long}.jpg", "3"),
    ]
    content = file.read_bytes()
    parts = [content[each.offset : each.offset + each.size] for each in found]
    assert parts == [b"any bytes", b"others"]


@pytest.mark.parametrize(
    ("content", "suffix", "label"),
    [
        (b" 7\n", "cls", "7"),
        ("Dänisch".encode(), "cls", "Dänisch"),
        (b'"cat"', "json", "cat"),
        (b'{"a": 1}', "json", ""),
        (b'{"label": true}', "json", ""),
        (b'{"label": 1.5}', "json", ""),
        (b"[" * 100_000, "json", ""),
        (b"\xff", "cls", ""),
        (b"", "cls", ""),
    ],
)
def test_a_class_is_a_number_or_a_name(content: bytes, suffix: str, label: str) -> None:
    assert label_in(content, suffix) == label


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "neither pictures nor files .cls"),
        (SAMPLE[:1], "no file .cls of the sample a"),
        (SAMPLE[1:], "no picture of the sample a"),
        ([*SAMPLE, ("a.jpg", b"")], "two pictures of one sample"),
        ([*SAMPLE, ("a.cls", b"2")], "two classes of one sample"),
        ([SAMPLE[0], ("a.cls", b"")], "no class in a.cls"),
        ([SAMPLE[0], ("a.cls", b"1" * (MAX_LABEL + 1))], "bytes for a class"),
    ],
)
def test_other_contents_are_damage(
    members: list[tuple[str, bytes]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DamagedShardError, match=message):
        samples_in(write_tar(tmp_path / "0.tar", members), label="cls")


def test_links_devices_and_names_that_lead_out_are_no_samples(tmp_path: Path) -> None:
    file = write_tar(tmp_path / "0.tar", SAMPLE)
    with tarfile.open(file, "a") as archive:
        for name, kind in (("b.png", tarfile.SYMTYPE), ("c.png", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in ("../d.png", "/e.png", "f/../../g.png", "h\\..\\i.png"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, BytesIO(b"abc"))
    assert [each.name for each in samples_in(file, label="cls")] == ["a.png"]


def test_wherever_a_shard_is_cut_it_is_damaged(tmp_path: Path) -> None:
    members = [(name.replace("a", f"{at}"), content) for at in range(3) for name, content in SAMPLE]
    whole = write_tar(tmp_path / "0.tar", members).read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512  # of the last file
    for length in range(0, end, 100):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        with pytest.raises(DamagedShardError):
            samples_in(tmp_path / "cut.tar", label="cls")


def test_damage_anywhere_is_found_or_harmless(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "0.tar", SAMPLE).read_bytes()
    draw = random.Random(0)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 10))):
            content[draw.randrange(1536)] = draw.randrange(256)
        (tmp_path / "damaged.tar").write_bytes(content)
        try:
            found = samples_in(tmp_path / "damaged.tar", label="cls")
        except DamagedShardError:
            continue
        assert all(each.offset + each.size <= len(whole) for each in found)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_claims_much_is_not_read(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("a")
    member.type, member.size = kind, 2**33
    file = tmp_path / "0.tar"
    file.write_bytes(member.tobuf(tarfile.GNU_FORMAT))
    with file.open("r+b") as target:
        target.truncate(2 * MAX_HEADER)
    with pytest.raises(DamagedShardError, match="a header of"):
        samples_in(file, label="cls")


def test_a_compressed_shard_is_damaged(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar", "w:gz"):
        pass
    with pytest.raises(DamagedShardError):
        samples_in(tmp_path / "0.tar", label="cls")
