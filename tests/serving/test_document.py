"""docs/serving.md says what the service does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cnnctl.serving.describing import document
from cnnctl.serving.limits import Limits
from cnnctl.serving.metrics import Metrics
from tests.conftest import invoke

DOCUMENT = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def test_its_limits_are_the_defaults() -> None:
    limits, mebi = Limits(), 2**20
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ")]
    table = "\n".join(rows)
    for said in (
        f"{limits.body // mebi} MiB, `--max-upload`; of JSON {limits.json // mebi} MiB | 413",
        f"being read | {limits.bodies // mebi} MiB | 503",
        f"{limits.pixels // 10**6} million, `--max-pixels` | 422",
        f"{limits.samples:,} | 413",
        f"{limits.seconds:g} seconds, `--timeout` | 408",
        f"{limits.waiting:,}, or {limits.waiting_bytes // mebi} MiB | 503",
        f"connections | {limits.connections} | 503",
    ):
        assert said in table


def test_its_options_paths_and_metrics_are_there() -> None:
    known = invoke("serve", "--help").stdout
    for option in set(re.findall(r"`(--[a-z-]+)", DOCUMENT)):
        assert option in known
    paths = set(re.findall(r"`(?:GET |POST )?(/\w[\w.]*)`", DOCUMENT))
    assert paths == {*document()["paths"], "/docs", "/openapi.json"}
    text = Metrics()
    text.note_batches("a")(1, 0.1)
    text.note_request("/", 200, 0.1)
    for metric in set(re.findall(r"`(cnnctl_\w+)`", DOCUMENT)):
        assert metric in text.text().decode()


def test_its_json_is_json() -> None:
    [example] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [*json.loads(example)] == ["model", "answers"]
