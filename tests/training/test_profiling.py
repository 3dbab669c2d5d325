"""`train --profile`: what the trace names, how it nests, and that training stays the same."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.profiler import ProfilerActivity, profile

from cnnctl.training.ranges import Ranges
from tests.conftest import Cli

PLUGIN_FINDS = re.compile(r"^(.*?)(\.\d+)?\.pt\.trace\.json(?:\.gz)?$")
"""As torch-tb-profiler looks for traces (consts.WORKER_PATTERN)."""


def events(trace: bytes) -> list[dict[str, Any]]:
    """What lasts for some time."""
    return [e for e in json.loads(trace)["traceEvents"] if e.get("ph") == "X"]


def named(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(e["name"] for e in found if e.get("cat") == "user_annotation")


def assert_nested(found: list[dict[str, Any]]) -> None:
    """Of two events in a thread, one is within the other, or they do not touch."""
    open_until: dict[object, list[float]] = {}
    for event in sorted(found, key=lambda e: (e["ts"], -e["dur"])):
        end, stack = event["ts"] + event["dur"], open_until.setdefault(event["tid"], [])
        while stack and stack[-1] <= event["ts"]:
            stack.pop()
        assert not stack or end <= stack[-1] + 0.001
        stack.append(end)


def test_the_trace_names_parts_and_layers_of_five_steps(quick_cli: Cli, tiny: Path) -> None:
    plain = quick_cli("train", tiny, "train.threads=1")
    done = quick_cli("train", tiny, "train.threads=1", "--profile")
    assert plain.returncode == done.returncode == 0, done.stderr
    file = Path("runs/tiny-2/profile/steps-6-10.pt.trace.json.gz")
    assert f"profile of steps 6 to 10: {file}" in done.stdout
    assert "https://ui.perfetto.dev" in done.stdout
    assert PLUGIN_FINDS.match(file.name)
    found = events(gzip.decompress((tiny.parent / file).read_bytes()))
    assert_nested(found)
    names = named(found)
    for part in ("data", "forward", "backward", "optimizer", "linear1", "linear2"):
        assert names[part] == 5, part
    assert names["relu1 backward"] == 5
    runs = tiny.parent / "runs"
    one, other = (load_file(runs / n / "checkpoints/best.safetensors") for n in ("tiny", "tiny-2"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_resumed_run_is_profiled_from_where_it_resumes(quick_cli: Cli, tiny: Path) -> None:
    quick_cli("train", tiny, "train.epochs=1")
    done = quick_cli("train", tiny, "--resume", "--profile")
    assert done.returncode == 0, done.stderr
    # 11 steps an epoch; the trace of the second has all of its last steps but the first five
    [trace] = (tiny.parent / "runs/tiny/profile").iterdir()
    assert trace.name == "steps-17-21.pt.trace.json.gz"


def test_a_training_that_is_too_short_for_a_profile_says_so(quick_cli: Cli, tiny: Path) -> None:
    done = quick_cli("train", tiny, "data.batch_size=1000", "--profile")
    assert done.returncode == 0, done.stderr
    assert "--profile: training ended after 4 steps, before any was recorded" in done.stdout
    assert not (tiny.parent / "runs/tiny/profile").exists()


def test_what_was_recorded_is_written_if_training_ends_meanwhile(
    quick_cli: Cli, tiny: Path
) -> None:
    done = quick_cli("train", tiny, "data.batch_size=400", "--profile")
    assert done.returncode == 0, done.stderr
    [trace] = (tiny.parent / "runs/tiny/profile").iterdir()
    assert trace.name == "steps-6-8.pt.trace.json.gz"
    assert named(events(gzip.decompress(trace.read_bytes())))["optimizer"] == 3


def test_layers_that_change_their_input_in_place_are_named(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten())
    ranges, images = Ranges(), torch.ones(1, 1, 5, 5)
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        ranges.name_layers(network)
        torch.autograd.backward(network(images).sum())
        ranges.close()
        network(images)
    recorded.export_chrome_trace(str(tmp_path / "trace.json"))
    found = events((tmp_path / "trace.json").read_bytes())
    assert_nested(found)
    names = named(found)
    assert all(names[each] == 1 for each in ("0", "1", "2", "0 backward", "1 backward"))
    spans = {e["name"]: (e["ts"], e["ts"] + e["dur"]) for e in found}
    start, end = spans["0 backward"]
    assert start <= spans["ConvolutionBackward0"][0] <= end
