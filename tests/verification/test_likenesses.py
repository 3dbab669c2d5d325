"""Samples that are in two splits are found, and named."""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.samples import DatasetInfo, Samples, Split, Splits
from cnnctl.verification.likenesses import first_equal, likenesses_of

VECTORS = DatasetInfo((2,), ("no", "yes"), 2, 4)


def splits_of(rows: list[list[float]], targets: list[int], *ends: int) -> Splits:
    """Rows cut into train, validation and test at these positions."""
    samples = Samples(torch.tensor(rows), torch.tensor(targets))
    bounds = (0, *ends, len(rows))
    parts = [torch.arange(start, end) for start, end in pairwise(bounds)]
    return Splits(*(Split(samples, part) for part in parts))


def test_equal_rows_are_named_with_their_splits_and_whether_their_targets_differ() -> None:
    rows = [[1.0, 2], [3.0, 4], [1.0, 2], [5.0, 6], [3.0, 4], [1.0, 2.5], [5.0, 6]]
    found = likenesses_of(splits_of(rows, [0, 1, 0, 1, 0, 0, 1], 3, 4), VECTORS)
    assert [(p.split, p.name, p.other_split, p.other_name) for p in found.identical] == [
        ("train", "sample 2 (counted from 0)", "train", "sample 0 (counted from 0)"),
        ("test", "sample 4 (counted from 0)", "train", "sample 1 (counted from 0)"),
        ("test", "sample 6 (counted from 0)", "validation", "sample 3 (counted from 0)"),
    ]
    assert [pair.is_leak for pair in found.identical] == [False, True, True]
    assert [pair.has_other_target for pair in found.identical] == [False, True, False]
    assert not found.are_compared


def test_values_that_differ_are_no_contradiction() -> None:
    """The same input can be measured twice."""
    values = DatasetInfo((2,), (), 1, 2)
    samples = Samples(torch.ones(4, 2), torch.arange(4.0)[:, None])
    parts = (Split(samples, torch.tensor(at)) for at in ([0, 1], [2], [3]))
    found = likenesses_of(Splits(*parts), values).identical
    assert len(found) == 3
    assert not any(pair.has_other_target for pair in found)


def test_a_missing_split_is_no_split() -> None:
    samples = Samples(torch.rand(4, 2), torch.zeros(4, dtype=torch.int64))
    parts = (Split(samples, torch.arange(n)) for n in (4, 0, 0))
    assert not likenesses_of(Splits(*parts), VECTORS).identical


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_the_first_equal_digest_is_found(numbers: list[int]) -> None:
    digests = np.array([[number // 2, number % 2] for number in numbers], dtype=np.uint64)
    assert first_equal(digests).tolist() == [numbers.index(number) for number in numbers]
