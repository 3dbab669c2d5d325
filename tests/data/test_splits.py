from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.data.splits import label_stratified_split, random_split, stratified_split

Table = np.ndarray[Any, np.dtype[np.bool_]]
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
    counts = np.bincount(labels, minlength=5)
    exact = counts * held_out / len(labels)
    if (counts - exact)[counts > 0].min() >= 1:  # or the others give for those that keep their last
        assert np.abs(np.bincount(labels[held], minlength=5) - exact).max() < 1


RARE: st.SearchStrategy[Labels] = st.lists(st.integers(1, 4), min_size=1, max_size=30).map(
    lambda counts: np.repeat(np.arange(len(counts)), counts)
)


@given(labels=RARE, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_one_sample_of_every_class_is_kept(labels: Labels, share: float, seed: int) -> None:
    most = len(labels) - len(np.unique(labels))
    for held_out in (int(share * most), most):
        kept, held = stratified_split(labels, held_out=held_out, seed=seed)
        assert len(held) == held_out
        assert set(labels[kept]) == set(labels)


def test_large_classes_give_for_those_of_one_sample() -> None:
    labels = np.repeat(np.arange(52), [100, 10] + [1] * 50)
    _, held = stratified_split(labels, held_out=24, seed=0)
    # 24 of the 110 that can be given: 21.8 and 2.2
    assert np.bincount(labels[held], minlength=52).tolist() == [22, 2] + [0] * 50


MANY: st.SearchStrategy[Table] = st.lists(
    st.tuples(*[st.booleans()] * 4), min_size=1, max_size=40
).map(np.array)


@settings(deadline=None, max_examples=100)
@given(labels=MANY, share=st.floats(0, 1), seed=st.integers(0, 2**63))
def test_a_split_of_labels_is_disjoint_covers_all_and_holds_out_as_many_as_asked(
    labels: Table, share: float, seed: int
) -> None:
    held_out = int(share * len(labels))
    kept, held = label_stratified_split(labels, held_out=held_out, seed=seed)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    assert len(held) == held_out


def some_labels(seed: int) -> Table:
    """500 samples of 12 labels, which two in a thousand have, up to half of them."""
    draw = np.random.default_rng(seed)
    labels: Table = np.asarray(draw.random((500, 12)) < np.geomspace(0.002, 0.5, 12))
    labels[:2, 0] = True  # one that two samples have at least
    return labels


def test_every_label_gives_its_share_and_those_of_two_samples_one_to_each_part() -> None:
    for seed in range(10):
        labels = some_labels(seed)
        kept, held = label_stratified_split(labels, held_out=50, seed=seed)
        shared = labels.sum(axis=0) > 1
        assert labels[kept][:, shared].any(axis=0).all()
        assert labels[held][:, shared].any(axis=0).all()
        exact = np.maximum(labels.sum(axis=0)[shared] / 10, 1)
        # a random cut is off by up to 10; the last and most frequent labels take what is left
        assert np.abs(labels[held].sum(axis=0)[shared] - exact).max() <= 3


def test_a_label_of_one_sample_is_trained_on() -> None:
    labels = np.array([[False]] * 9 + [[True]])
    for seed in range(5):
        assert 9 in label_stratified_split(labels, held_out=5, seed=seed)[0]


@settings(max_examples=200)
@given(labels=MANY, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_label_is_kept_if_one_exchange_would_keep_it(
    labels: Table, share: float, seed: int
) -> None:
    kept, _ = label_stratified_split(labels, held_out=int(share * len(labels)), seed=seed)
    counts = labels[kept].sum(axis=0)
    if (labels.any(axis=0) & (counts == 0)).any():
        last = labels[kept] & (counts == 1)  # such a sample cannot go
        assert last.any(axis=1).all()


def test_a_label_that_would_be_lost_changes_places() -> None:
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1]], dtype=bool)
    for seed in range(20):
        kept, held = label_stratified_split(labels, held_out=2, seed=seed)
        assert len(held) == 2
        assert labels[kept].any(axis=0).all()


def test_a_split_of_labels_follows_the_seed() -> None:
    labels = some_labels(0)
    first, again, other = (
        label_stratified_split(labels, held_out=50, seed=s)[1] for s in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


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
