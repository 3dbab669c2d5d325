"""What `cnnctl init` proposes for tables, beside scikit-learn's linear models on the same splits.

    python benchmarks/tables_against_scikit_learn.py [--tables iris made …] [--json FILE]

Each table is written as a user would have it, with a column that splits it at random (a fifth for
testing, stratified by class). Then `init`, `train`, `eval` and `predict` run as commands, without
an edit of what `init` wrote. scikit-learn's LogisticRegression or Ridge learns from the same rows:
numbers standardised, missing ones replaced by the median, categories one-hot, dates as days.

    iris, wine, cancer, diabetes    from scikit-learn
    made        50,000 rows: numbers with missing cells, categories, some rare, a date, and a header
                in Chinese; the class depends on them linearly and otherwise
    made-small  its first 2,000 rows

The figures are accuracy, or R² for diabetes, on the rows for testing: mean and standard deviation
over the seeds. `made` is written as CSV and as Parquet, which must give the same answers for every
row. The exit code is 1 if the mean of cnnctl is lower for any table, to four digits.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn import datasets
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TESTED = 0.2
SPLIT = "split"
MADE_ROWS, FEWER_ROWS = 50_000, 2_000


@dataclass(frozen=True, slots=True)
class Data:
    """A table: its columns by name, the target last; None is a missing cell."""

    columns: dict[str, list[Any]]
    is_regression: bool = False
    suffixes: Sequence[str] = (".csv",)
    """Of the files that it is written as."""

    @property
    def target(self) -> str:
        return list(self.columns)[-1]

    @property
    def metric(self) -> str:
        return "r2" if self.is_regression else "accuracy"


def bundled(load: Callable[..., Any], *, is_regression: bool = False) -> Data:
    """A table that scikit-learn brings along."""
    found = load(scaled=False) if is_regression else load()
    named = found.target if is_regression else found.target_names[found.target]
    columns = {str(name): found.data[:, at].tolist() for at, name in enumerate(found.feature_names)}
    return Data({**columns, "target": [each.item() for each in named]}, is_regression)


def made() -> Data:
    """Customers who leave or stay."""
    rng = np.random.default_rng(0)
    age = rng.normal(45, 15, MADE_ROWS).clip(18, 90).round()
    income = rng.lognormal(10, 0.5, MADE_ROWS).round(2)
    calls = rng.poisson(2, MADE_ROWS)
    cities = np.array(["北京", "上海", "Köln", "Lima", "Oslo", *(f"town {n}" for n in range(40))])
    shares = 1 / np.arange(1, len(cities) + 1) ** 1.5
    city = rng.choice(len(cities), MADE_ROWS, p=shares / shares.sum())
    plan = rng.choice(["basic", "plus", "pro"], MADE_ROWS, p=[0.6, 0.3, 0.1])
    days = rng.integers(0, 3000, MADE_ROWS)
    effect = rng.normal(0, 0.5, len(cities))
    score = (
        0.5 * calls - 0.03 * (age - 45) + effect[city] - 0.0004 * (days - 1500)
        + 0.002 * (age - 45) ** 2 * (plan == "basic") - 0.8 * (np.log(income) > 10.3) * (calls > 2)
        - 1.2
    )  # fmt: skip
    leaves = rng.random(MADE_ROWS) < 1 / (1 + np.exp(-score))
    missing = rng.random(MADE_ROWS) < 0.1
    start = np.datetime64("2016-01-01")
    columns: dict[str, list[Any]] = {
        "年龄": age.tolist(),
        "income": [
            None if gone else each for gone, each in zip(missing, income.tolist(), strict=True)
        ],
        "calls": calls.tolist(),
        "city": cities[city].tolist(),
        "plan": plan.tolist(),
        "since": [str(start + np.timedelta64(int(each), "D")) for each in days],
        "left": np.where(leaves, "yes", "no").tolist(),
    }
    return Data(columns, suffixes=(".csv", ".parquet"))


def beginning(data: Data, rows: int) -> Data:
    return Data({name: cells[:rows] for name, cells in data.columns.items()})


TABLES: dict[str, Callable[[], Data]] = {
    "iris": lambda: bundled(datasets.load_iris),
    "wine": lambda: bundled(datasets.load_wine),
    "cancer": lambda: bundled(datasets.load_breast_cancer),
    "diabetes": lambda: bundled(datasets.load_diabetes, is_regression=True),
    "made-small": lambda: beginning(made(), FEWER_ROWS),
    "made": made,
}


def tested_rows(data: Data, seed: int) -> np.ndarray:
    """Which rows are for testing."""
    target = data.columns[data.target]
    _, tested = train_test_split(
        np.arange(len(target)),
        test_size=TESTED,
        random_state=seed,
        stratify=None if data.is_regression else target,
    )
    return np.isin(np.arange(len(target)), tested)


def by_scikit_learn(data: Data, tested: np.ndarray) -> float:
    """The score of a linear model."""
    features = {name: cells for name, cells in data.columns.items() if name != data.target}
    numbers, categories = dict[str, np.ndarray](), dict[str, np.ndarray]()
    for name, cells in features.items():
        if name == "since":
            numbers[name] = np.array(cells, "datetime64[D]").astype(float)
        elif isinstance(cells[0], str):
            categories[name] = np.array(cells, object)
        else:
            numbers[name] = np.array(cells, float)
    learner = Ridge() if data.is_regression else LogisticRegression(max_iter=2000)
    target, train = np.array(data.columns[data.target]), ~tested
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    matrix = np.column_stack(list(numbers.values()))
    parts = [scaled.fit(matrix[train]).transform(matrix)]
    if categories:
        texts = np.column_stack(list(categories.values()))
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts.append(encoder.fit(texts[train]).transform(texts))
    encoded = np.hstack(parts)
    return float(learner.fit(encoded[train], target[train]).score(encoded[tested], target[tested]))


def run(folder: Path, *arguments: str) -> str:
    """The output of a command of cnnctl in a folder."""
    command = [sys.executable, "-m", "cnnctl", *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


def write(data: Data, tested: np.ndarray, file: Path) -> None:
    """Write a table with its splits."""
    columns = {SPLIT: np.where(tested, "test", "train").tolist(), **data.columns}
    if file.suffix == ".parquet":
        pl.DataFrame(columns).write_parquet(file)
        return
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def by_cnnctl(data: Data, tested: np.ndarray, seed: int) -> float:
    """The score of what `init` proposes, whatever the file that the table is in."""
    first, *others = (measure(data, tested, seed, suffix=suffix) for suffix in data.suffixes)
    assert all(other == first for other in others), "the answers depend on the file"
    return first[0]


def measure(
    data: Data, tested: np.ndarray, seed: int, *, suffix: str
) -> tuple[float, list[dict[str, Any]]]:
    """What `eval` measures, and the answers of `predict`, which must agree with it."""
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), f"table{suffix}"
        write(data, tested, folder / file)
        run(folder, "init", file, "--target", data.target)
        run(folder, "train", "table.yaml", f"seed={seed}")
        score = float(json.loads(run(folder, "eval", "runs/table", "--json"))[data.metric])
        lines = run(folder, "predict", "runs/table", file, "--jsonl").splitlines()
    answers = [json.loads(line) for line in lines]
    if not data.is_regression:
        target = [str(cell) for cell in data.columns[data.target]]
        right = [answers[at]["class"] == target[at] for at in np.flatnonzero(tested)]
        assert abs(statistics.mean(right) - score) < 1e-9, (statistics.mean(right), score)
    return score, [{**answer, "input": None} for answer in answers]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--json", type=Path, help="file for the figures of each seed")
    options = parser.parse_args()
    print(f"{'table':11}{'cnnctl':>18}{'scikit-learn':>18}{'difference':>12}{'seconds':>9}")
    results = {name: compare(name, options.seeds) for name in options.tables}
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(found["difference"] < 0 for found in results.values()))


def compare(name: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The figures of a table, which are printed, too."""
    data, start = TABLES[name](), time.perf_counter()
    splits = [tested_rows(data, seed) for seed in seeds]
    theirs = [by_scikit_learn(data, tested) for tested in splits]
    own = [by_cnnctl(data, tested, seed) for tested, seed in zip(splits, seeds, strict=True)]
    seconds = (time.perf_counter() - start) / len(seeds)
    difference = round(statistics.mean(own) - statistics.mean(theirs), 4)
    row = f"{name:11}{spread(own):>18}{spread(theirs):>18}{difference:+12.4f}{seconds:9.1f}"
    print(row, flush=True)
    return {
        "metric": data.metric,
        "seeds": list(seeds),
        "cnnctl": own,
        "scikit-learn": theirs,
        "difference": difference,
    }


def spread(scores: Sequence[float]) -> str:
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return f"{statistics.mean(scores):.4f} ± {deviation:.4f}"


if __name__ == "__main__":
    main()
