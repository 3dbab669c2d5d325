"""A page with a slider over the snapshots of a run."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cnnctl.errors import FaultError
from cnnctl.plotting import frames as frames_module
from cnnctl.plotting.frames import Frame, chosen_snapshots, page_of
from cnnctl.plotting.landscape import Axis, Landscape
from cnnctl.plotting.page import check_page, write_page
from cnnctl.snapshots import snapshot_name
from tests.conftest import invoke
from tests.plotting.conftest import MOONS
from tests.plotting.test_text import landscape


def frames_in(page: Path) -> list[dict[str, Any]]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script id="frames" type="application/json">(.*?)</script>', text, re.S)
    assert found
    frames: list[dict[str, Any]] = json.loads(found[1])
    return frames


@pytest.fixture
def run(tmp_path: Path, as_before: None) -> Path:
    config = tmp_path / "moons.yaml"
    config.write_text(MOONS, encoding="utf-8")
    done = invoke("train", config, "train.snapshots=1", "--runs", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    return tmp_path / "runs" / "moons"


def test_a_run_has_a_frame_for_each_snapshot(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "frames.html"
    done = invoke("plot", run, "--frames", "-o", page)
    assert (done.exit_code, done.stdout) == (0, f"{page}\n3 frames, epochs 0 to 2\n")
    frames = frames_in(page)
    assert [frame["epoch"] for frame in frames] == [0, 1, 2]
    assert frames[0]["caption"].startswith("30 test samples, ")
    assert re.match(r"training loss .*, validation accuracy .*%, 30 test", frames[2]["caption"])
    assert len({frame["picture"] for frame in frames}) == 3
    assert frames[0]["places"] == frames[2]["places"]
    header, _, data = frames[1]["picture"].partition(",")
    assert header == "data:image/png;base64"
    assert Image.open(BytesIO(b64decode(data))).size == (120, 120)


def test_samples_of_a_layer_move_within_common_axes(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "frames.html"
    done = invoke("plot", run, "--frames", "--layer", "linear2", "-o", page)
    assert done.exit_code == 0, done.output
    frames = frames_in(page)
    assert frames[0]["places"] != frames[2]["places"]
    for frame in frames:
        assert all(0 <= x <= 560 for x, _ in frame["places"])
        assert frame["grid"].startswith("M")


def test_a_run_without_snapshots_is_told_the_option(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"has no snapshots to draw\n.*train\.snapshots=1"):
        chosen_snapshots(tmp_path)


def test_of_many_snapshots_some_are_drawn_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "snapshots").mkdir()
    for epoch in range(12):
        (tmp_path / "snapshots" / snapshot_name(epoch)).touch()
    monkeypatch.setattr(frames_module, "MOST_FRAMES", 5)
    assert list(chosen_snapshots(tmp_path)) == [2, 5, 8, 11]


def test_the_page_loads_nothing_and_escapes_names(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>\x00&\u202e"
    known = landscape(classes=(evil, "dog"))
    samples = replace(known.samples, names=(evil, "b"))
    shown = replace(
        known, title=evil, remarks=(evil, evil), samples=samples, axes=(Axis(evil, 0, 10), AXIS)
    )
    write_page(page_of([Frame(1, shown)], []), tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert text.count("</script>") == 2
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    assert frames_in(tmp_path / "a.html")[0]["caption"].startswith("</script>")


AXIS = Axis("up", 0.0, 10.0)


def test_wrong_answers_are_marked_and_places_are_pixels() -> None:
    known = landscape()
    wrong = replace(known, samples=replace(known.samples, answers=torch.tensor([0, 0])))
    [frame] = page_of([Frame(3, wrong)], [{"epoch": 3, "val_loss": 0.5}])["frames"]
    assert frame["wrong"] == [1]
    assert frame["places"] == [(56.0, 168.0), (112.0, 392.0)]
    assert frame["caption"] == "validation loss 0.5000, 2 samples"


def test_a_line_has_curves(tmp_path: Path) -> None:
    values = torch.tensor([0.0, 1.0])
    samples = replace(landscape().samples, places=torch.tensor([[1.0], [2.0]]), targets=values)
    answers = torch.tensor([[0.0], [float("nan")], [1.0]])
    shown = Landscape("fit", (Axis("x", 0.0, 4.0),), (), "height", answers, samples)
    page = page_of([Frame(0, shown)], [])
    [curve] = page["frames"][0]["curves"]
    assert re.fullmatch(r"M0 [\d.]+M560 [\d.]+", curve["path"])
    assert page["frames"][0]["picture"] == ""
    write_page(page, tmp_path / "a.html")


def test_other_suffixes_are_refused() -> None:
    with pytest.raises(FaultError, match=r"frames to a\.png: unknown format\n.*\.html"):
        check_page(Path("a.png"))
