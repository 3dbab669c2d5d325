from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.data.splits import random_split, stratified_split

Labels = np.ndarray[Any, np.dtype[np.int64]]
LABELS: st.SearchStrategy[Labels] = st.lists(st.integers(0, 4), min_size=2, max_size=60).map(
    np.array
)


@settings(deadline=None, max_examples=50)
@given(labels=LABELS, share=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_a_split_is_disjoint_covers_all_and_holds_out_as_many_as_asked(
    labels: Labels, share: float, seed: int
) -> None:
    held_out = int(share * len(labels))
    kept, held = stratified_split(labels, held_out=held_out, seed=seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert len(held) == held_out


@settings(deadline=None, max_examples=50)
@given(labels=LABELS, share=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_every_class_gives_its_share_to_within_one(labels: Labels, share: float, seed: int) -> None:
    held_out = int(share * len(labels))
    _, held = stratified_split(labels, held_out=held_out, seed=seed)
    exact = np.bincount(labels, minlength=5) * held_out / len(labels)
    assert np.abs(np.bincount(labels[held], minlength=5) - exact).max() < 1


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    labels = np.arange(100) % 10
    first, again, other = (stratified_split(labels, held_out=20, seed=s)[1] for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_which_of_a_class_are_held_out_is_random_not_the_first_ones() -> None:
    labels = np.repeat(np.arange(2), 500)
    _, held = stratified_split(labels, held_out=500, seed=0)
    # of 250 among 0..499 the mean is 249.5, with a standard deviation of 6.5
    assert abs(held[held < 500].mean() - 249.5) < 40


def test_a_split_of_values_is_random_too() -> None:
    kept, held = random_split(50, held_out=10, seed=0)
    assert sorted([*kept, *held]) == list(range(50))
    assert len(held) == 10
    assert not np.array_equal(held, random_split(50, held_out=10, seed=1)[1])


def test_splits_stay_what_they_are_in_every_version() -> None:
    # NumPy's documented stream of MT19937(SeedSequence(0)) through its frozen RandomState
    expected = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(0))).permutation(9)
    _, held = random_split(9, held_out=4, seed=0)
    assert held.tolist() == sorted(expected[:4].tolist())
