from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnctl.data.conformity import conformed
from cnnctl.data.samples import DatasetInfo, Samples, Target
from cnnctl.errors import ExitCode, FaultError
from tests.data.conftest import inputs_of

DESCRIBED = DatasetInfo((1, 2, 2), ("cat", "dog"), 2, 3)


def images(*, count: int = 3, side: int = 2) -> Tensor:
    return torch.zeros(count, 1, side, side, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (Samples(images(), torch.tensor([0, 1, 2])), "labels from 0 to 2, but classes from 0 to 1"),
        (Samples(images(), torch.tensor([0, -1, 1])), "labels from -1 to 1"),
        (Samples(images(count=2), torch.tensor([0, 1, 1])), "2 samples, but 3 targets"),
        (Samples(images(count=0), torch.tensor([], dtype=torch.int64)), "no samples"),
        (Samples(images(side=3), torch.tensor([0, 1, 1])), "samples of 1x3x3, not of 1x2x2"),
    ],
    ids=["large label", "negative label", "counts", "empty", "shape"],
)
def test_samples_that_are_not_what_was_described_are_a_data_fault(
    samples: Samples, words: str
) -> None:
    with pytest.raises(FaultError, match=words) as error:
        conformed(samples, DESCRIBED, what="cats and dogs")
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def test_samples_that_fit_pass() -> None:
    samples = Samples(images(), torch.tensor([0, 1, 1]))
    assert conformed(samples, DESCRIBED, what="cats and dogs").inputs is samples.inputs


def test_samples_are_taken_in_the_order_asked_for() -> None:
    samples = Samples(torch.arange(10.0)[:, None], torch.arange(10))
    taken = samples.take(np.array([7, 2, 2]))
    assert inputs_of(taken).flatten().tolist() == [7, 2, 2]
    assert taken.targets.tolist() == [7, 2, 2]


VALUES = DatasetInfo((2,), (), 1, 3)
CLASSES = DatasetInfo((2,), ("cat", "dog"), 2, 3)


@pytest.mark.parametrize(
    "dtype",
    [
        "float64",
        "float16",
        "bfloat16",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint16",
        "uint32",
        "uint64",
        "bool",
    ],
)
def test_numbers_of_every_dtype_become_float32(dtype: str) -> None:
    given = torch.tensor([[0, 1], [1, 0], [1, 1]]).to(getattr(torch, dtype))
    samples = conformed(Samples(given, given[:, :1]), VALUES, what="numbers")
    assert samples.inputs.dtype == samples.targets.dtype == torch.float32
    assert torch.equal(inputs_of(samples), given.float())


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "bool"]
)
def test_classes_of_every_whole_dtype_become_int64(dtype: str) -> None:
    labels = torch.tensor([0, 1, 1]).to(getattr(torch, dtype))
    samples = conformed(Samples(torch.zeros(3, 2), labels), CLASSES, what="classes")
    assert samples.targets.dtype == torch.int64
    assert samples.targets.tolist() == [0, 1, 1]


def test_whole_pixels_become_bytes_and_others_stay_numbers() -> None:
    labels = torch.tensor([0, 1, 1])
    pixels = torch.full((3, 1, 2, 2), 255)
    assert conformed(Samples(pixels, labels), DESCRIBED, what="x").inputs.dtype == torch.uint8
    halves = torch.full((3, 1, 2, 2), 0.5, dtype=torch.float64)
    assert conformed(Samples(halves, labels), DESCRIBED, what="x").inputs.dtype == torch.float32


@pytest.mark.parametrize(
    ("inputs", "targets", "description", "words"),
    [
        (torch.zeros(3, 2), torch.tensor([0.0, 1, 1]), CLASSES, r"float32 \(N,\), but classes are"),
        (torch.zeros(3, 2), torch.zeros(3, 1).long(), CLASSES, r"int64 \(N, 1\), but classes are"),
        (torch.zeros(3, 2), torch.zeros(3), VALUES, r"of shape \(N,\), not \(N, 1\)"),
        (torch.full((3, 1, 2, 2), 256), torch.zeros(3).long(), DESCRIBED, "not from 0 to 255"),
        (torch.full((3, 2), 2**24 + 1), torch.zeros(3).long(), CLASSES, "float32 would round"),
        (
            torch.zeros(3, 2, dtype=torch.complex64),
            torch.zeros(3).long(),
            CLASSES,
            "complex64, which cannot",
        ),
        (
            torch.tensor([[0, 1], [0, torch.nan], [0, 0]]),
            torch.zeros(3).long(),
            CLASSES,
            "nan in sample 1",
        ),
        (
            torch.full((3, 2), 1e300, dtype=torch.float64),
            torch.zeros(3).long(),
            CLASSES,
            "1e\\+300 in sample 0",
        ),
        (torch.zeros(3, 2), torch.tensor([[0], [0], [torch.inf]]), VALUES, "inf in sample 2"),
        (np.zeros((3, 2)), torch.zeros(3).long(), CLASSES, "inputs that are of type ndarray"),
        (torch.zeros(3, 2), [0, 1, 1], CLASSES, "target that are of type list"),
    ],
)
def test_what_cannot_be_converted_is_a_data_fault(
    inputs: Any, targets: Any, description: DatasetInfo, words: str
) -> None:
    with pytest.raises(FaultError, match=words) as error:
        conformed(Samples(inputs, targets), description, what="this")
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (Target("animal", ("cat", "dog"), 2), "class"),
        (Target("tags", ("indoors", "furry"), 2, is_multilabel=True), "labels"),
        (Target("weight", (), 1), "values"),
    ],
)
def test_a_target_tells_what_it_is_of_a_sample(target: Target, kind: str) -> None:
    assert target.kind == kind


LABELS = replace(CLASSES, is_multilabel=True)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "uint16", "float16", "float64"])
def test_labels_of_every_dtype_become_float32(dtype: str) -> None:
    given = torch.tensor([[0, 1], [1, 1], [0, 0]]).to(getattr(torch, dtype))
    found = conformed(Samples(torch.zeros(3, 2), given), LABELS, what="this").targets
    assert found.dtype == torch.float32
    assert torch.equal(found, given.float())


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (torch.tensor([[0, 1], [1, 0], [0, 2]]), "0 and 1: 2 for dog in sample 2 "),
        (torch.tensor([[0, 1], [-1, 0], [0, 2]]), "0 and 1: -1 for cat in sample 1 "),
        (torch.tensor([[0.0, 1], [0, 0.5], [0, 0]]), "0 and 1: 0.5 for dog in sample 1 "),
        (torch.tensor([[0.0, 1], [0, 0], [torch.nan, 0]]), "not finite: nan in sample 2 "),
        (torch.zeros(3, 3), r"of shape \(N, 3\), not \(N, 2\)"),
        (torch.zeros(3), r"of shape \(N,\), not \(N, 2\)"),
        (torch.zeros(3, 2, dtype=torch.complex64), "complex64, which cannot"),
    ],
)
def test_labels_other_than_0_and_1_are_a_data_fault(targets: Tensor, words: str) -> None:
    with pytest.raises(FaultError, match=f"this has targets .*{words}") as error:
        conformed(Samples(torch.zeros(3, 2), targets), LABELS, what="this")
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def test_a_wrong_label_is_found_far_behind_as_well() -> None:
    targets = torch.zeros(2**21, 2)  # more than is looked at together
    targets[-1, 0] = 3
    described = replace(LABELS, train_samples=2**21)
    with pytest.raises(FaultError, match="3 for cat in sample 2097151"):
        conformed(Samples(torch.zeros(2**21, 2), targets), described, what="this")


def test_a_target_that_was_described_and_is_not_there_is_a_data_fault() -> None:
    described = replace(CLASSES, others=(Target("size", (), 1),))
    samples = Samples(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    with pytest.raises(FaultError, match="this has no target named size"):
        conformed(samples, described, what="this")
