import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.division import check_room, hold_out, latest_split
from cnnctl.errors import FaultError

groupings = st.lists(st.sampled_from("abcdefghij"), min_size=2, max_size=60).filter(
    lambda groups: len(set(groups)) > 1
)


@given(groups=groupings, share=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_no_group_is_in_both_parts(groups: list[str], share: float, seed: int) -> None:
    held_out = max(1, round(share * len(groups)))
    kept, held = hold_out(len(groups), held_out=held_out, seed=seed, groups=groups)
    assert sorted([*kept, *held]) == list(range(len(groups)))
    assert len(kept)
    assert len(held)
    assert not {groups[at] for at in kept} & {groups[at] for at in held}
    again = hold_out(len(groups), held_out=held_out, seed=seed, groups=groups)
    assert all(np.array_equal(one, two) for one, two in zip((kept, held), again, strict=True))


def test_groups_come_close_to_the_share_of_every_class() -> None:
    rng = np.random.default_rng(0)
    patients = [f"p{number}" for number in rng.integers(0, 200, 4000)]
    labels = rng.choice(3, 4000, p=[0.7, 0.2, 0.1])
    _, held = hold_out(4000, held_out=600, seed=1, classes=labels, groups=patients)
    assert len(held) == pytest.approx(600, abs=20)
    expected = np.bincount(labels) * 600 / 4000
    np.testing.assert_allclose(np.bincount(labels[held]), expected, atol=15)


def test_groups_come_close_to_the_share_of_every_label() -> None:
    rng = np.random.default_rng(0)
    patients = [f"p{number}" for number in rng.integers(0, 200, 4000)]
    labels = rng.random((4000, 3)) < [0.5, 0.2, 0.1]
    _, held = hold_out(4000, held_out=600, seed=1, labels=labels, groups=patients)
    np.testing.assert_allclose(labels[held].sum(axis=0), labels.sum(axis=0) * 0.15, atol=15)


@given(
    groups=groupings,
    classes=st.lists(st.integers(0, 5), min_size=60, max_size=60),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_groups_leave_a_sample_of_every_class(
    groups: list[str], classes: list[int], share: float, seed: int
) -> None:
    own = np.array(classes[: len(groups)])
    held_out = max(1, round(share * len(groups)))
    try:
        kept, held = hold_out(len(groups), held_out=held_out, seed=seed, classes=own, groups=groups)
    except FaultError as error:
        assert error.faults[0].path == ("group",)
        for name in set(groups):
            is_in = np.array([group == name for group in groups])
            assert not {*own} <= {*own[~is_in]}  # the class is in no other group
    else:
        assert {*own[kept]} == {*own}
        assert len(held)


@given(counts=st.lists(st.integers(1, 3), min_size=2, max_size=9), held_out=st.integers(1, 20))
def test_too_many_held_out_for_the_classes_are_refused(counts: list[int], held_out: int) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    if held_out <= sum(counts) - len(counts):
        check_room(classes, held_out=held_out, option="test")
        return
    with pytest.raises(FaultError, match="are too few to hold out") as error:
        check_room(classes, held_out=held_out, option="test")
    share = float(error.value.faults[0].hint.split()[2].rstrip(","))
    assert round(share * len(classes)) <= sum(counts) - len(counts)


def test_another_seed_holds_out_other_groups() -> None:
    groups = [f"g{number % 50}" for number in range(500)]
    cuts = {tuple(hold_out(500, held_out=100, seed=seed, groups=groups)[1]) for seed in range(5)}
    assert len(cuts) == 5


def test_one_group_is_not_divided() -> None:
    with pytest.raises(FaultError, match="all 3 samples are in one group, p7") as error:
        hold_out(3, held_out=1, seed=0, groups=["p7"] * 3)
    assert error.value.faults[0].path == ("group",)


def test_the_latest_are_held_out() -> None:
    kept, held = latest_split([3, 1, 2, 2, 5, 4], held_out=2)
    assert kept.tolist() == [0, 1, 2, 3]
    assert held.tolist() == [4, 5]
    kept, held = latest_split([2, 2, 2], held_out=1)
    assert (kept.tolist(), held.tolist()) == ([0, 1], [2])
