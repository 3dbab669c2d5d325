import pytest

from cnnctl.proposals.budget import (
    AT_ENOUGH,
    FROZEN_PASSES,
    PASSES,
    SECONDS,
    plan,
    pretrained_plan,
    slowness,
)
from cnnctl.proposals.machine import Machine, cpu, gpu

TWO = cpu(2)


def test_training_takes_the_time_that_there_is() -> None:
    for samples in (200, 5_000, 45_000):
        found = plan((32, 32), 3, outputs=10, samples=samples, machine=TWO)
        slow = slowness(found.model)
        seconds = found.epochs * PASSES * slow * found.multiply_adds * samples / TWO.speed
        assert found.minutes == pytest.approx(seconds / 60)
        assert seconds <= SECONDS


def test_fewer_pictures_get_more_epochs_and_no_smaller_a_network() -> None:
    plans = [
        plan((32, 32), 3, outputs=10, samples=count, machine=TWO)
        for count in (100_000, 20_000, 2_000)
    ]
    epochs, widths = [each.epochs for each in plans], [each.model["width"] for each in plans]
    assert epochs == sorted(epochs)
    assert widths == sorted(widths)


def test_the_multiply_adds_are_those_of_the_network() -> None:
    found = plan((32, 32), 3, outputs=10, samples=1000, machine=TWO)
    assert found.model == {"zoo": "resnet9", "width": 32}
    # 3x3 convolutions of 32 to 64 channels at 32x32, or as many products, and two residual blocks
    once = 9 * 32 * 64 * 32 * 32
    assert found.multiply_adds == pytest.approx(once * (3 + 4 * 0.5), rel=0.02)


def test_pictures_too_small_to_be_halved_get_another_network() -> None:
    found = plan((6, 32), 1, outputs=10, samples=1000, machine=TWO)
    assert found.model == {"zoo": "resnet18", "stem": "cifar", "width": 32}


def test_many_large_pictures_are_made_smaller() -> None:
    few = plan((224, 224), 3, outputs=5, samples=40, machine=TWO)
    many = plan((224, 224), 3, outputs=5, samples=50_000, machine=TWO)
    assert few.size == (224, 224)
    assert few.model == {"zoo": "resnet18", "width": 64}
    assert max(many.size) < 224
    assert many.multiply_adds < few.multiply_adds / 50


def test_more_cores_train_a_wider_network_and_a_gpu_the_widest() -> None:
    machines = [cpu(1), cpu(2), cpu(2, "bf16"), cpu(16), gpu("fp32"), gpu("bf16")]
    plans = [plan((32, 32), 3, outputs=10, samples=45_000, machine=each) for each in machines]
    widths = [each.model["width"] for each in plans]
    assert widths == sorted(widths)
    assert widths[-1] == 64
    assert all(each.epochs >= AT_ENOUGH for each in plans)
    assert all(each.minutes <= SECONDS / 60 for each in plans)


def test_the_speed_of_a_machine_is_a_rule() -> None:
    assert [cpu(cores).name for cores in (1, 2)] == ["1 CPU core", "2 CPU cores"]
    assert cpu(2, "bf16") == Machine("2 CPU cores with bf16", 1.5 * TWO.speed)
    assert cpu(4).speed == pytest.approx(cpu(2).speed * 2**0.8)
    assert gpu("bf16") == Machine("a GPU with bf16", 10e12, is_gpu=True)


def test_only_the_classifier_of_a_pretrained_network_is_trained() -> None:
    found = pretrained_plan("mobilenet_v3_small", outputs=10, samples=800, machine=TWO)
    assert found.is_pretrained
    assert found.model == {
        "torchvision": "mobilenet_v3_small",
        "weights": "DEFAULT",
        "freeze": "backbone",
    }
    assert found.size == (224, 224)
    # torchvision publishes 57 million for 1,000 classes
    assert found.multiply_adds == pytest.approx(57e6, rel=0.05)
    seconds = found.epochs * FROZEN_PASSES * 4 * found.multiply_adds * 800 / TWO.speed
    assert found.minutes == pytest.approx(seconds / 60)
