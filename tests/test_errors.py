"""Of many faults, some are shown, and none is lost."""

import pytest

from cnnctl.errors import (
    SHOWN,
    ExitCode,
    Fault,
    FaultError,
    below,
    data_faults,
    gathered,
)


def many(count: int) -> list[Fault]:
    return [Fault(message=f"{number}", hint="mend it") for number in range(count)]


@pytest.mark.parametrize("count", [1, SHOWN])
def test_few_faults_are_all_shown(count: int) -> None:
    error = data_faults(many(count))
    assert error.faults == error.every == tuple(many(count))
    assert error.exit_code is ExitCode.DATA


@pytest.mark.parametrize("count", [SHOWN + 1, 1000])
def test_of_many_faults_the_first_are_shown_and_the_others_counted(count: int) -> None:
    error = data_faults(many(count))
    assert error.every == tuple(many(count))
    *shown, last = error.faults
    assert shown == many(count)[: SHOWN - 1]
    assert last.message == f"and {count - SHOWN + 1:,} more errors"


def test_a_sum_is_shown_in_any_case() -> None:
    total = Fault(message="all", hint="mend them")
    for count in (1, SHOWN - 1, SHOWN, 1000):
        error = data_faults(many(count), last=total)
        assert error.faults[-1] is error.every[-1] is total
        assert len(error.every) == count + 1
        assert len(error.faults) <= SHOWN


def test_faults_that_are_not_shown_are_not_lost() -> None:
    found = list[Fault]()
    with gathered(found, "data"), below("columns"):
        raise data_faults(many(1000))
    assert [fault.message for fault in found] == [fault.message for fault in many(1000)]
    assert {fault.path for fault in found} == {("data", "columns")}


def test_a_single_fault_is_all_there_is() -> None:
    error = FaultError(*many(1))
    assert error.every == error.faults
