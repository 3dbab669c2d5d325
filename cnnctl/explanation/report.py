"""An explanation as text, as JSON and as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from rich import box
from rich.table import Column, Table

from cnnctl.explanation.explanation import Explanation, Fact


def as_table(explanation: Explanation) -> Table:
    """A line for each sample, layer or class, a column for each fact."""
    keys = list(dict.fromkeys(key for _, facts in explanation.known for key in facts))
    first = explanation.known[0][1]
    columns = (
        Column(key, justify="left" if isinstance(first.get(key), str) else "right") for key in keys
    )
    table = Table("", *columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, facts in explanation.known:
        table.add_row(name, *(_shown(facts.get(key)) for key in keys))
    return table


def _shown(fact: Fact) -> str:
    if fact is None:
        return ""
    return f"{fact:.4g}" if isinstance(fact, float) else str(fact)


def to_json(explanation: Explanation) -> Mapping[str, Any]:
    """The facts as plain data."""
    rows = [{"name": name, **facts} for name, facts in explanation.known]
    return {"method": explanation.method, "notes": [*explanation.notes], "rows": rows}


def as_npz(explanation: Explanation) -> bytes:
    """The arrays, names and classes as an .npz file, which numpy.load reads without pickle."""
    content = BytesIO()
    arrays: dict[str, Any] = {
        name: values.detach().cpu().numpy() for name, values in explanation.arrays.items()
    }
    texts: dict[str, Any] = {
        "names": np.array([name for name, _ in explanation.known]),
        "classes": np.array(explanation.names, dtype=np.str_),
        "method": np.array(explanation.method),
    }
    np.savez(content, **arrays, **texts)
    return content.getvalue()
