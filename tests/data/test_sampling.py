from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from cnnctl.data.sampling import ShardOrder, balanced_order

labels = st.lists(st.sampled_from([0, 1, 2, 5, 9]), min_size=1, max_size=60).map(torch.tensor)


def order(classes: Tensor, seed: int = 0) -> Tensor:
    return balanced_order(classes, generator=Generator().manual_seed(seed))


def imbalanced(*counts: int) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


@given(labels, st.integers(0, 9))
def test_every_class_comes_equally_often(classes: Tensor, seed: int) -> None:
    found = order(classes, seed)
    assert len(found) == len(classes)
    drawn = Counter(classes[found].tolist())
    assert drawn.keys() == set(classes.tolist())
    assert max(drawn.values()) - min(drawn.values()) <= 1


@given(labels, st.integers(0, 9))
def test_the_samples_of_a_class_come_equally_often(classes: Tensor, seed: int) -> None:
    times = torch.bincount(order(classes, seed), minlength=len(classes))
    for each in set(classes.tolist()):
        own = times[classes == each]
        assert own.max() - own.min() <= 1


def test_rare_samples_repeat_and_common_ones_do_not() -> None:
    times = torch.bincount(order(imbalanced(90, 8, 1)), minlength=99).tolist()
    assert sorted(times[:90]) == [0] * 57 + [1] * 33
    assert sorted(times[90:98]) == [4] * 7 + [5]
    assert times[98] == 33


def test_classes_of_one_size_are_shuffled_as_they_are() -> None:
    found = order(imbalanced(20, 20, 20))
    assert sorted(found.tolist()) == list(range(60))
    assert found.tolist() != list(range(60))


def test_common_samples_that_are_left_out_come_in_another_epoch() -> None:
    classes = imbalanced(90, 10)
    seen = {position for seed in range(20) for position in order(classes, seed).tolist()}
    assert seen == set(range(100))


def test_what_is_left_over_goes_to_any_class() -> None:
    classes = imbalanced(60, 30, 10)
    most = {
        Counter(classes[order(classes, seed)].tolist()).most_common(1)[0][0] for seed in range(40)
    }
    assert most == {0, 1, 2}


def test_the_classes_are_mixed() -> None:
    classes = imbalanced(900, 90, 10)
    first = classes[order(classes)][:50]
    counts = torch.bincount(first, minlength=3)
    assert counts.min() >= 8  # of 16 or 17, three standard deviations


def test_shards_are_shuffled_and_samples_stay_close() -> None:
    shards = torch.arange(100).repeat_interleave(50)
    order = ShardOrder(shards, buffer=200).shuffled(torch.Generator().manual_seed(0))
    assert order.sort().values.equal(torch.arange(5000))
    places = torch.empty_like(order).scatter_(0, order, torch.arange(5000))
    spans = places.view(100, 50).amax(dim=1) - places.view(100, 50).amin(dim=1)
    assert 100 < spans.max() < 50 + 2 * 200
    means = places.view(100, 50).double().mean(dim=1)
    assert means.argsort().tolist() != list(range(100))  # the shards are shuffled as well
    again = ShardOrder(shards, buffer=200).shuffled(torch.Generator().manual_seed(0))
    assert order.equal(again)


def test_a_buffer_of_one_only_shuffles_the_shards() -> None:
    order = ShardOrder(torch.tensor([7, 7, 3, 3]), buffer=1)
    found = {tuple(order.shuffled(torch.Generator().manual_seed(n)).tolist()) for n in range(20)}
    assert found == {(0, 1, 2, 3), (2, 3, 0, 1)}
