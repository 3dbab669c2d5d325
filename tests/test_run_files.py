"""Text files of a run folder are read whatever they contain."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnctl import run_files
from cnnctl.errors import ExitCode, FaultError
from cnnctl.run_files import LayerRecord, read_watch

GOOD = b'{"step":3,"epoch":1,"layers":{"conv1":{"gradient":0.5,"dead":null}}}\n'


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = LayerRecord(7, 2, {"conv1": {"gradient": 1.5e-9, "mean": -0.25}, "relu1": {}})
    (tmp_path / "watch.jsonl").write_bytes(record.line())
    found = read_watch(tmp_path)
    assert (found.records, found.damaged) == ([record], 0)


def test_a_run_that_was_not_watched_has_no_records(tmp_path: Path) -> None:
    assert not read_watch(tmp_path).records


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff",
        b"[1]",
        b"[" * 100_000,
        b'{"step":3,"epoch":1}',
        b'{"step":"3","epoch":1,"layers":{}}',
        b'{"step":3,"epoch":1,"layers":{"conv1":[1]}}',
        b'{"step":3,"epoch":1,"layers":{"conv1":{"gradient":"0.5"}}}',
        b'{"step":3,"epoch":1,"layers":{"conv1":{"gradient":1' + b"0" * 400 + b"}}}",
    ],
)
def test_an_invalid_line_is_counted_and_the_others_are_read(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "watch.jsonl").write_bytes(GOOD + line + b"\n" + GOOD + b'{"step":9,"ep')
    found = read_watch(tmp_path)
    assert [record.step for record in found.records] == [3, 3]
    assert found.damaged == 1


def test_a_file_that_is_too_large_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MAX_WATCH", 10)
    (tmp_path / "watch.jsonl").write_bytes(GOOD)
    with pytest.raises(FaultError) as caught:
        read_watch(tmp_path)
    assert caught.value.exit_code is ExitCode.STORAGE
