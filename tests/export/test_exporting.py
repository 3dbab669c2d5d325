"""An export is kept whole if it is right, and not at all otherwise."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from cnnctl.errors import ExitCode, FaultError
from cnnctl.export import fresh
from cnnctl.export.checking import compared
from cnnctl.export.exporting import check_wishes, chosen_format, export
from cnnctl.export.format import Batches, Checked, Format, Results, Run, Wishes
from cnnctl.export.formats import FORMATS
from cnnctl.export.original import Original
from tests.conftest import TINY
from tests.export.running import here, opened

PLAIN = Wishes()


class Pair(Format):
    """Two files that say nothing about a network."""

    original: Original

    name = "pair"
    suffix = ".one"
    about = "Two files."

    def names(self, file: Path, wishes: Wishes) -> tuple[str, ...]:
        return file.name, f"{file.stem}.two"

    def contents(self, original: Original, wishes: Wishes, file: Path) -> Mapping[str, bytes]:
        self.original = original
        one, two = self.names(file, wishes)
        return {one: b"new one", two: b"new two"}

    @staticmethod
    def run(file: str, batches: Batches) -> Results:
        raise NotImplementedError

    def check(self, original: Original, wishes: Wishes, file: Path, run: Run) -> Checked:
        assert file.read_bytes() == b"new one"
        return compared(self, original, wishes, file, run, raw=False)


def shifted(by: float) -> Run:
    """A run that answers as the original does, but for one number in one batch."""

    def run(format: Format, file: Path, batches: Batches) -> Results:
        assert isinstance(format, Pair)
        original = format.original
        found = {}
        for name, batch in batches.items():
            shares = original.network(original.inputs(batch)).softmax(1)
            shares[-1, 3] += by if name == "real-1" else 0
            found[name] = {"probabilities": shares}
        return found

    return run


@pytest.fixture
def original(tmp_path: Path) -> Original:
    return opened(tmp_path, TINY)


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "x.yaml"}


def test_all_files_of_a_right_export_are_there(original: Original, tmp_path: Path) -> None:
    exported = export(original, tmp_path / "a.one", Pair(), PLAIN, run=shifted(9e-5))
    assert there(tmp_path) == {"a.one": b"new one", "a.two": b"new two"}
    assert exported.checked.difference == pytest.approx(9e-5, rel=0.01)
    assert exported.to_json()["files"] == [str(tmp_path / "a.one"), str(tmp_path / "a.two")]
    assert exported.to_json()["real"] == exported.to_json()["random"] == 8
    assert exported.to_json()["batch_sizes"] == [1, 7]


def test_an_export_that_differs_is_not_kept(original: Original, tmp_path: Path) -> None:
    (tmp_path / "a.two").write_bytes(b"old two")
    with pytest.raises(
        FaultError, match=r"largest difference 0\.0002, more than 0\.0001"
    ) as caught:
        export(original, tmp_path / "a.one", Pair(), PLAIN, run=shifted(2e-4))
    assert caught.value.exit_code is ExitCode.DIFFERENT
    assert there(tmp_path) == {"a.two": b"old two"}
    wider = Wishes(tolerance=1e-3)
    export(original, tmp_path / "a.one", Pair(), wider, run=shifted(2e-4))
    assert len(there(tmp_path)) == 2


def test_an_export_that_does_not_run_is_not_kept(original: Original, tmp_path: Path) -> None:
    def fail(format: Format, file: Path, batches: Batches) -> Results:
        raise fresh.broken(format, "Traceback\nValueError: bad magic\n\n")

    with pytest.raises(FaultError, match="without cnnctl: ValueError: bad magic") as caught:
        export(original, tmp_path / "a.one", Pair(), PLAIN, run=fail)
    assert caught.value.exit_code is ExitCode.DIFFERENT
    assert there(tmp_path) == {}


def test_numbers_that_are_not_finite_differ_from_those_that_are(
    original: Original, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match="largest difference inf"):
        export(original, tmp_path / "a.one", Pair(), PLAIN, run=shifted(float("nan")))


@pytest.mark.parametrize("step", ["fsync", "mkdir"])
def test_a_full_disk_leaves_nothing(
    step: str, original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "mkdir": (Path, "mkdir")}[step], fail)
    with pytest.raises(FaultError, match="free some space") as caught:
        export(original, tmp_path / "a.one", Pair(), PLAIN, run=shifted(0))
    assert caught.value.exit_code is ExitCode.STORAGE
    assert there(tmp_path) == {}


@pytest.mark.parametrize("failing", ["a.one", "a.two"])
@pytest.mark.parametrize("old", [{}, {"a.two": b"old"}, {"a.one": b"old", "a.two": b"old"}])
def test_if_one_file_cannot_take_its_place_none_does(
    failing: str,
    old: Mapping[str, bytes],
    original: Original,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if path.name == failing == target.name and path.read_bytes().startswith(b"new"):
            raise OSError(errno.EIO, "Input/output error")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(FaultError, match="Input/output error"):
        export(original, tmp_path / "a.one", Pair(), PLAIN, run=shifted(0))
    assert there(tmp_path) == old


def test_a_folder_that_is_not_there_is_named(original: Original, tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="nosuch: cannot be written: No such file") as caught:
        export(original, tmp_path / "nosuch" / "a.one", Pair(), PLAIN, run=shifted(0))
    assert caught.value.exit_code is ExitCode.STORAGE


@pytest.mark.parametrize(
    ("name", "option", "said"),
    [
        ("x.nosuch", "", ["cannot export to x.nosuch: unknown format", ".pt2", "--format"]),
        ("x", "", ["cannot export to x: unknown format"]),
        ("x.pts", "", ["TorchScript is deprecated by PyTorch", "use x.pt2"]),
        ("x.pt2", "safetensor", ["no format is named 'safetensor'", "did you mean safetensors?"]),
    ],
)
def test_an_unknown_format_says_what_there_is(name: str, option: str, said: list[str]) -> None:
    with pytest.raises(FaultError) as caught:
        chosen_format(Path(name), option)
    assert all(each in str(caught.value) for each in said), caught.value


def test_the_suffix_or_else_the_option_is_the_format() -> None:
    assert chosen_format(Path("x.PT2")) is FORMATS["pt2"]
    assert chosen_format(Path("x.pt2"), "safetensors") is FORMATS["safetensors"]


@pytest.mark.parametrize(
    ("name", "wishes", "said"),
    [
        ("safetensors", Wishes(raw=True), ".safetensors takes no --raw\n    --raw is for .*pt2"),
        ("pt2", Wishes(training=True), ".pt2 takes no --training"),
        ("pt2", Wishes(quantize="int8"), ".pt2 takes no --quantize"),
    ],
)
def test_an_option_that_a_format_does_not_take_is_refused(
    name: str, wishes: Wishes, said: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=said):
        check_wishes(FORMATS[name], wishes, tmp_path / "x", force=False)


def test_files_that_exist_are_refused_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "a.two").touch()
    with pytest.raises(FaultError, match=r"a\.two exists\n    add --force to replace it"):
        check_wishes(Pair(), PLAIN, tmp_path / "a.one", force=False)
    check_wishes(Pair(), PLAIN, tmp_path / "a.one", force=True)
    (tmp_path / "b.one").mkdir()
    with pytest.raises(FaultError, match=r"b\.one is a folder"):
        check_wishes(Pair(), PLAIN, tmp_path / "b.one", force=True)


def test_names_and_modules_of_formats_are_the_same() -> None:
    for name, each in FORMATS.items():
        assert type(each).__module__ == f"cnnctl.export.formats.{name}"
        assert name == each.name


@pytest.mark.long
def test_the_fresh_process_cannot_import_the_program(original: Original, tmp_path: Path) -> None:
    class Asking(Pair):
        suffix = ".asking"

        @staticmethod
        def run(file: str, batches: Batches) -> Results:
            """Import what must not be there."""
            import cnnctl  # noqa: F401

            return {}

    with pytest.raises(FaultError, match="import of cnnctl halted"):
        fresh.run(Asking(), tmp_path / "a", {"x": torch.zeros(1)})
    safetensors = FORMATS["safetensors"]
    exported = export(original, tmp_path / "a.safetensors", safetensors, PLAIN, run=fresh.run)
    assert exported.checked.difference == 0
    again = export(original, tmp_path / "b.safetensors", safetensors, PLAIN, run=here)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert again.bytes == exported.bytes
