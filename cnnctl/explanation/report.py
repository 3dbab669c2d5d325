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
    """A line for each row, a column for each fact."""
    keys = list(dict.fromkeys(key for row in explanation.rows for key in row.facts))
    first = explanation.rows[0].facts
    columns = (
        Column(key, justify="left" if isinstance(first.get(key), str) else "right") for key in keys
    )
    table = Table("", *columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in explanation.rows:
        table.add_row(row.name, *(_shown(row.facts.get(key)) for key in keys))
    return table


def _shown(fact: Fact) -> str:
    if fact is None:
        return ""
    return f"{fact:.4g}" if isinstance(fact, float) else str(fact)


def to_json(explanation: Explanation) -> Mapping[str, Any]:
    """The facts as plain data."""
    rows = [{"name": row.name, **row.facts} for row in explanation.rows]
    return {"method": explanation.method, "notes": [*explanation.notes], "rows": rows}


def as_npz(explanation: Explanation) -> bytes:
    """The arrays, names and classes as an .npz file, which numpy.load reads without pickle."""
    content = BytesIO()
    arrays: dict[str, Any] = {
        name: values.detach().cpu().numpy() for name, values in explanation.arrays.items()
    }
    texts: dict[str, Any] = {
        "names": np.array([row.name for row in explanation.rows]),
        "classes": np.array(explanation.names, dtype=np.str_),
        "method": np.array(explanation.method),
    }
    np.savez(content, **arrays, **texts)
    return content.getvalue()
