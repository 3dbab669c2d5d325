import pytest

from cnnctl.proposals.budget import PASSES, SECONDS, SPEED, plan


def test_training_takes_the_time_that_there_is() -> None:
    for samples in (200, 5_000, 45_000):
        found = plan((32, 32), 3, classes=10, samples=samples)
        seconds = found.epochs * PASSES * found.multiply_adds * samples / SPEED
        assert found.minutes == pytest.approx(seconds / 60)
        assert seconds <= SECONDS


def test_fewer_pictures_get_more_epochs_and_no_smaller_a_network() -> None:
    plans = [plan((32, 32), 3, classes=10, samples=count) for count in (100_000, 20_000, 2_000)]
    epochs, widths = [each.epochs for each in plans], [each.model["width"] for each in plans]
    assert epochs == sorted(epochs)
    assert widths == sorted(widths)


def test_the_multiply_adds_are_those_of_the_network() -> None:
    found = plan((32, 32), 3, classes=10, samples=1000)
    assert found.model == {"zoo": "resnet18", "stem": "cifar", "width": 32}
    # four stages of equal cost, 3x3 convolutions of 32 to 32 channels at 32x32 in the first
    assert found.multiply_adds == pytest.approx(15 * 9 * 32 * 32 * 32 * 32, rel=0.02)


def test_many_large_pictures_are_made_smaller() -> None:
    few = plan((224, 224), 3, classes=5, samples=40)
    many = plan((224, 224), 3, classes=5, samples=50_000)
    assert few.size == (224, 224)
    assert few.model == {"zoo": "resnet18", "width": 64}
    assert max(many.size) < 224
    assert many.multiply_adds < few.multiply_adds / 50
