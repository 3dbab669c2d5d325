"""docs/summary-json.md says what `cnnctl summary --json` prints: no key more, and none less."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import invoke

DOCUMENT = Path(__file__).parents[2] / "docs" / "summary-json.md"
TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "string": (str,),
    "object": (dict,),
}

Table = dict[str, str]
"""Types by key."""


def tables() -> dict[str, Table]:
    """The tables of the document, by the heading that they stand below."""
    text = DOCUMENT.read_text(encoding="utf-8").split("\n## ")
    rows = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
    return {part.splitlines()[0].strip("# "): dict(rows.findall(part)) for part in text}


def is_of(value: Any, wanted: str) -> bool:
    """Whether a value is of a type, as the document writes it."""
    if wanted.endswith(" or null"):
        return value is None or is_of(value, wanted.removesuffix(" or null"))
    if wanted.startswith("list of "):
        item = wanted.removeprefix("list of ").removesuffix("s")
        return isinstance(value, list) and all(is_of(one, item) for one in value)
    return isinstance(value, TYPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def check(data: dict[str, Any], table: Table) -> None:
    assert list(data) == list(table)
    wrong = {key: value for key, value in data.items() if not is_of(value, table[key])}
    assert not wrong


def check_summary(data: dict[str, Any]) -> None:
    """Every object in a summary, against its table."""
    documented = tables()
    check(data, documented["What `cnnctl summary --json` prints"])
    for layer in data["layers"]:
        check(layer, documented["`layers`"])
    check(data["training_memory"], documented["`training_memory`"])
    check(data["device_memory"], documented["`device_memory`"])
    if data["unfrozen"]:
        check(data["unfrozen"], documented["`unfrozen`"])
        check(data["unfrozen"]["training_memory"], documented["`training_memory`"])
    assert data["format"] == 1


@pytest.mark.parametrize("network", ["lenet5", "resnet20", "mlp"])
def test_every_key_is_in_the_document_with_its_type_and_no_other(network: str) -> None:
    check_summary(json.loads(invoke("summary", network, "--json").stdout))


def test_so_is_every_key_of_a_comparison() -> None:
    documented = tables()
    data = json.loads(invoke("summary", "lenet5", "--compare", "lenet4", "--json").stdout)
    check(data, documented["With `--compare`"])
    check_summary(data["left"])
    check_summary(data["right"])
    for pair in data["layers"]:
        check(pair, documented["`layers` with `--compare`"])
    assert {pair["sign"] for pair in data["layers"]} - {"", "~", "-", "+"} == set()
