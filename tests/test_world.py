"""Ranks: what one has, all have; what fails on one, fails on all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._C._distributed_c10d import HashStore

from cnnctl.errors import ExitCode, FaultError, config_fault
from cnnctl.rendezvous import joined, round_of, timeout_of
from cnnctl.world import ALONE, World
from tests.ranks import free_port, in_threads

RANK = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}


def exchanged(world: World) -> list[object]:
    world.meet()
    return [
        world.sum_(torch.tensor([1.0, world.rank])).tolist(),
        world.broadcast_(torch.tensor(world.rank + 7)).item(),
        world.share({"rank": world.rank}),
        world.share_bytes(b"x" * world.rank),
        world.gather(["é"] * world.rank),
        world.stack(torch.tensor([-0.0, world.rank])).tolist(),
        world.any(world.rank == 1),
        world.any(False),
    ]


def test_three_ranks_get_the_same_from_each_other() -> None:
    wanted = [
        [3.0, 3.0],
        *(7, {"rank": 0}, b"", [[], ["é"], ["é", "é"]]),
        [[-0.0, 0.0], [-0.0, 1.0], [-0.0, 2.0]],
        *(True, False),
    ]
    found = in_threads(3, exchanged)
    assert found == [wanted] * 3
    assert str(found[1]) == str(wanted)  # where -0.0 differs from 0.0


def test_one_process_is_the_case_of_one_rank() -> None:
    assert exchanged(ALONE) == [
        *([1.0, 0.0], 7, {"rank": 0}, b"", [[]], [[-0.0, 0.0]]),
        *(False, False),
    ]


def failing_on(failing: int, world: World) -> tuple[str, ExitCode]:
    try:
        with world.together():
            if world.rank == failing:
                raise config_fault("no such layer", hint="see cnnctl list")
    except FaultError as error:
        return str(error), error.exit_code
    return "", ExitCode.DONE


@pytest.mark.parametrize("failing", [0, 1])
def test_what_fails_on_one_rank_fails_on_all_and_is_said_once(failing: int) -> None:
    said, silent = in_threads(2, lambda world: failing_on(failing, world))
    assert said[0].startswith("no such layer" if failing == 0 else "rank 1: no such layer")
    assert silent[0] == ""
    assert {said[1], silent[1]} == {ExitCode.USAGE}


def test_a_rank_that_leaves_with_an_error_is_named_with_its_reason() -> None:
    def work(world: World) -> str:
        assert world.link is not None
        if world.rank == 1:
            world.link.contact.leave(config_fault("a bad picture", hint="remove it"))
            return ""
        with pytest.raises(FaultError, match="rank 1 failed: a bad picture") as caught:
            world.meet()
        assert caught.value.exit_code is ExitCode.RANK_LOST
        return str(caught.value)

    assert "resume" in in_threads(2, work)[0]


def test_a_single_process_is_alone() -> None:
    for environment in ({}, {"WORLD_SIZE": "1", "RANK": "0"}):
        with joined(environment) as world:
            assert world is ALONE


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RANK": "0"}, "LOCAL_RANK is not"),
        (RANK, "MASTER_PORT is not"),
        (RANK | {"MASTER_PORT": "x"}, "MASTER_PORT=x is not a number"),
        (RANK | {"MASTER_PORT": "1"}, "MASTER_ADDR is not"),
    ],
)
def test_what_torchrun_did_not_set_is_named(environment: dict[str, str], message: str) -> None:
    with (
        pytest.raises(FaultError, match=message) as caught,
        joined({"WORLD_SIZE": "2"} | environment),
    ):
        pass
    assert caught.value.exit_code is ExitCode.USAGE


def test_an_address_where_nobody_is_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    environment = RANK | there | {"RANK": "1", "CNNCTL_RANK_TIMEOUT": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(FaultError, match=there["MASTER_PORT"]), joined(environment):
        pass


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "nan", "inf"])
def test_a_timeout_is_a_number_of_seconds(text: str) -> None:
    assert timeout_of({}) == 60
    with pytest.raises(FaultError, match="CNNCTL_RANK_TIMEOUT"):
        timeout_of({"CNNCTL_RANK_TIMEOUT": text})


def test_every_start_in_a_store_has_a_name_of_its_own() -> None:
    store = HashStore()  # as torchrun's, which outlives the ranks that it restarts

    def named(rank: int) -> str:
        return round_of(store, rank, 3, patience=10)

    with ThreadPoolExecutor(3) as pool:
        starts = [[*pool.map(named, (2, 1, 0))] for _ in range(3)]
    assert all(len(set(names)) == 1 for names in starts)
    assert len({names[0] for names in starts}) == 3


def test_a_rank_that_is_not_started_is_named() -> None:
    with pytest.raises(TimeoutError, match="rank 1 was not started"):
        round_of(HashStore(), 0, 3, patience=0.1)
